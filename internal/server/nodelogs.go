package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/logfile"

	"golang.org/x/time/rate"
)

// nodeLogs keeps the logs that agents send, two files a SuperNode: of itself, and of its ClientApps.
type nodeLogs struct {
	data string

	mu     sync.Mutex
	limits map[int64]*rate.Limiter // by key
	runs   map[int64]string        // the run of which a key's ClientApps wrote last
}

// What one SuperNode may send and have stored.
var nodeLogKeep = logfile.Keep{Max: 5 << 20, Old: 1}

const (
	nodeLogRate  = 2 // parts a second; an agent sends each two seconds
	nodeLogBurst = 20
)

func newNodeLogs(data string) *nodeLogs {
	return &nodeLogs{data: data, limits: map[int64]*rate.Limiter{}, runs: map[int64]string{}}
}

func (n *nodeLogs) path(fedID, keyID int64, part string) string {
	return filepath.Join(engine.FedDir(n.data, fedID), "nodes", strconv.FormatInt(keyID, 10), part+".log")
}

// add appends lines to a SuperNode's log. Secrets are masked once more: this is another's word.
func (n *nodeLogs) add(k domain.NodeKey, p domain.NodeLog) error {
	if p.Part != "supernode" && p.Part != "clientapp" {
		return domain.Errorf(domain.Invalid, "There is no log of %q.", p.Part).At("part")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	limit := n.limits[k.ID]
	if limit == nil {
		limit = rate.NewLimiter(nodeLogRate, nodeLogBurst)
		n.limits[k.ID] = limit
	}
	if !limit.Allow() {
		return domain.Errorf(domain.Limited, "Logs come too often from this machine.").Fix("Wait some seconds.")
	}
	path := n.path(k.FederationID, k.ID, p.Part)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making a SuperNode's directory: %w", err)
	}
	w, err := logfile.Open(path, nodeLogKeep, time.Now)
	if err != nil {
		return err
	}
	var b strings.Builder
	if p.Run != "" && n.runs[k.ID] != p.Run {
		n.runs[k.ID] = p.Run
		fmt.Fprintf(&b, "[run %.20s]\n", strings.Map(digits, p.Run))
	}
	if p.LeftOut > 0 {
		fmt.Fprintf(&b, "[%d lines were not sent]\n", p.LeftOut)
	}
	size := 0
	for _, l := range p.Lines {
		if size += len(l); size > domain.MaxNodeLog {
			b.WriteString("[more than may be sent at once]\n")
			break
		}
		b.WriteString(strings.NewReplacer("\n", " ", "\x00", "").Replace(l) + "\n")
	}
	_, _ = w.Write([]byte(b.String())) // it tells its failures in the log
	return w.Close()
}

func digits(r rune) rune {
	if '0' <= r && r <= '9' {
		return r
	}
	return -1
}

// NodeLog returns what a SuperNode's agent has sent of a part's log: "supernode" or "clientapp". It may not be there.
func (e *Engines) NodeLog(fedID, keyID int64, part string, older int) *logfile.File {
	return e.log(logfile.Older(e.app.nodeLogs.path(fedID, keyID, filepath.Base(part)), older))
}
