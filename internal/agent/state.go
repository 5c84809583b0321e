package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
)

// state is what the agent knows of one federation, in state.json of its directory. It holds no secret.
type state struct {
	Server        string `json:"server"` // base URL
	Pin           string `json:"pin"`
	TokenID       string `json:"token_id"` // the public part of the token that enrolled the key
	Slug          string `json:"federation"`
	Name          string `json:"federation_name"`
	Partition     int    `json:"partition"`
	NumPartitions int    `json:"num_partitions"`
	SuperLink     string `json:"superlink"` // host:port
	Flwr          string `json:"flwr_version"`
	NodeID        uint64 `json:"node_id,omitempty"`
	CAPEM         string `json:"ca_pem,omitempty"`  // empty: this machine's roots
	Approve       string `json:"approve,omitempty"` // which app versions run here; empty: any
}

// home is one federation's directory at a participant's.
type home string

func (h home) file(name string) string { return filepath.Join(string(h), name) }
func (h home) stateFile() string       { return h.file("state.json") }
func (h home) caFile() string          { return h.file("ca.pem") }
func (h home) logFile() string         { return h.file("supernode.log") }
func (h home) keyFile(tokenID string) string {
	return h.file("key_" + tokenID)
}

// load returns the state; nil without an error when there is none or only half of one, which the next enrolment repairs.
func (h home) load() (*state, error) {
	text, err := os.ReadFile(h.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the agent's state: %w", err)
	}
	st := new(state)
	if json.Unmarshal(text, st) != nil || st.Server == "" || st.SuperLink == "" || st.TokenID == "" {
		return nil, nil //nolint:nilerr // half a state is none
	}
	if _, err := os.Stat(h.keyFile(st.TokenID)); err != nil {
		return nil, nil //nolint:nilerr // a state without its key is none
	}
	return st, nil
}

// save writes the CA before the state: a state on disk is whole.
func (h home) save(st *state) error {
	if st.CAPEM != "" {
		if err := writeFile(h.caFile(), []byte(st.CAPEM), 0o644); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(h.stateFile(), append(text, '\n'), 0o600)
}

// lock keeps a second agent out of the directory while the file is open.
func (h home) lock() (*os.File, error) {
	f, err := os.OpenFile(h.file("agent.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", h, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, domain.Errorf(domain.Conflict, "An agent is running already with %s.", h).
			Fix("Nothing more is needed. To start it again here, stop that one first.").Because(err)
	}
	return f, nil
}

// base returns the folder of all federations.
func defaultBase() (string, error) {
	dir, err := os.UserHomeDir()
	if err != nil {
		return "", domain.Errorf(domain.Invalid, "This user has no home directory.").Fix("Name a directory for the agent with --dir.").
			Because(err)
	}
	return filepath.Join(dir, ".blossomtune"), nil
}

// DefaultPythonDir returns the folder of the Python environments that all federations of this user share.
func DefaultPythonDir() (string, error) {
	base, err := defaultBase()
	return filepath.Join(base, "python"), err
}

// homes lists the enrolled homes for a server in base.
func homes(base string, srv server) []home {
	found, _ := filepath.Glob(filepath.Join(base, "*", "state.json")) // the pattern is sound, so there is no error
	var out []home
	for _, f := range found {
		h := home(filepath.Dir(f))
		// A joining_ home is enrolled but not yet renamed: a crash came between.
		if st, err := h.load(); err == nil && st != nil && sameServer(st.Server, srv) && !strings.Contains(filepath.Base(string(h)), ".old-") {
			out = append(out, h)
		}
	}
	return out
}

// sameServer compares hosts alone: http and https of one port are the same server.
func sameServer(base string, srv server) bool {
	_, host, _ := strings.Cut(base, "://")
	return strings.EqualFold(host, srv.base.Host)
}

// host is the server's host and port.
func (st *state) host() string {
	_, host, _ := strings.Cut(st.Server, "://")
	host, _, _ = strings.Cut(host, "/")
	return strings.ToLower(host)
}

// policy says which app versions run here.
func (st *state) policy() approval.Policy {
	p, err := approval.ParsePolicy(cmp.Or(st.Approve, string(approval.Any)))
	if err != nil {
		return approval.Ask // an edited state allows nothing more
	}
	return p
}
