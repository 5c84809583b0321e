package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
)

// Files of a federation's directory.
const (
	sockName      = "keeper.sock"
	lockName      = "keeper.lock"
	stateName     = "keeper.json"
	settingsName  = "engine.json"
	keeperLog     = "keeper.log"
	superlinkLog  = "superlink.log"
	databaseName  = "superlink.db"
	homeName      = "flwr_home"
	tlsName       = "tls"
	secretName    = "superexec.secret"
	flwrHomeEnv   = "FLWR_HOME"
	stopGrace     = 10 * time.Second
	serverAppWait = 8 * time.Second
)

// protocol says what a keeper heeds of what it is told. It is raised with every new setting or order, so that none is passed over in
// silence by a keeper that an earlier version of the server started: such a keeper finishes the ServerApps that it has, gets no new
// ones, and is replaced when those have ended. Asked of a keeper of any protocol are GET /status (protocol, pid, superlink, tasks),
// GET /events, POST /kill and POST /stop, which therefore stay as they are.
const protocol = 4 // 1: no cores and no memory limit; 2: does not say why it ended a ServerApp; 3: runs all ServerApps as its own user

// How much is kept of the keeper's own log, and of the SuperLink's.
var (
	keeperLogKeep    = keeper.Rotation{Max: 10 << 20, Keep: OldLogs}
	superlinkLogKeep = logfile.Keep{Max: 10 << 20, Old: OldLogs}
)

// OldLogs is how many older files a part of an engine has beside its log.
const OldLogs = 3

// FedDir returns a federation's directory.
func FedDir(dataDir string, fedID int64) string {
	return filepath.Join(dataDir, "federations", strconv.FormatInt(fedID, 10))
}

// state is what a keeper leaves for later ones and for the manager: who it is, and the port that SuperNodes' gateway uses.
type state struct {
	Keeper keeper.Identity `json:"keeper"`
	Port   int             `json:"port"`
	Dir    string          `json:"dir"` // the [filelock.DirID] of the federation's directory; "" from an earlier version
}

// settings is what the manager tells a keeper before it starts it.
type settings struct {
	Env    python.Env `json:"env"`
	RunLog int64      `json:"run_log_max"` // bytes of a run's log
	Engine string     `json:"engine,omitempty"`
}

// Status is what a keeper says of itself.
type Status struct {
	Protocol  int              `json:"protocol"`
	PID       int              `json:"pid"`
	Dir       string           `json:"dir,omitempty"` // the [filelock.DirID] of its directory; "" from an earlier version
	Flwr      string           `json:"flwr"`
	Engine    string           `json:"engine,omitempty"` // "" from an earlier version: Flower
	SuperLink domain.SuperLink `json:"superlink"`
	Tasks     []launcher.Task  `json:"tasks"`
	Stored    uint64           `json:"stored"` // observations of runs that have reached the database; who shows them looks when it grows
	Pushes    uint64           `json:"pushes"` // batches of messages that have reached the SuperLink; who waits for some looks when it grows
}

// leaving reports whether the keeper is to be replaced when its runs have ended: another version of the server started it, or the
// federation is to have another engine.
func (st Status) leaving(engine string) bool {
	return st.Protocol != protocol || engine != "" && cmp.Or(st.Engine, Flower) != engine
}

// busy reports whether the keeper has a ServerApp, or the order for one.
func (st Status) busy() bool {
	return slices.ContainsFunc(st.Tasks, func(t launcher.Task) bool { return t.State != launcher.Ended })
}

// maxFile is the largest file of an engine that is read, in bytes.
const maxFile = 1 << 20

func readJSON(path string, into any) error {
	b, err := launcher.ReadFile(path, maxFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := launcher.WriteFile(path, append(b, '\n')); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// readState returns the zero state when there is none.
func readState(fedDir string) (state, error) {
	var st state
	err := readJSON(filepath.Join(fedDir, stateName), &st)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	return st, err
}

// runningKeeper returns the identity of the keeper that runs this directory's federation, and the zero identity when none does.
// The recorded process alone proves nothing: in a copy of a data directory it is the keeper of the original, which must not be
// stopped. So the keeper's lock here must be held, and the record must be of this very directory.
func runningKeeper(ctx context.Context, fedDir string) (keeper.Identity, error) {
	st, err := readState(fedDir)
	if err != nil || !st.Keeper.Alive() {
		return keeper.Identity{}, err
	}
	held, err := filelock.Held(filepath.Join(fedDir, lockName))
	if err != nil || !held || !newLink(fedDir).ofThisDir(ctx, st.Dir) {
		return keeper.Identity{}, err
	}
	return st.Keeper, nil
}
