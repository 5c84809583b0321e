// Package nodelogs keeps the logs that agents send of their SuperNodes and ClientApps: bounded, masked, rate-limited.
package nodelogs

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

// Logs keeps the logs that agents send: two files for each SuperNode, one of itself and one of its ClientApps. It is safe for
// concurrent use.
type Logs struct {
	data string

	mu     sync.Mutex
	limits map[int64]*rate.Limiter // by key
	runs   map[int64]string        // the run of which a key's ClientApps wrote last
}

// What one SuperNode may send and have stored.
var keep = logfile.Keep{Max: 5 << 20, Old: 1}

const (
	perSecond = 2 // an agent sends one part every two seconds
	burst     = 20
)

// New returns the logs in a server's data directory.
func New(data string) *Logs {
	return &Logs{data: data, limits: map[int64]*rate.Limiter{}, runs: map[int64]string{}}
}

// Path is the file of a part of a SuperNode's log: "supernode" or "clientapp". It may not exist.
func (n *Logs) Path(fedID, keyID int64, part string) string {
	return filepath.Join(engine.FedDir(n.data, fedID), "nodes", strconv.FormatInt(keyID, 10), filepath.Base(part)+".log")
}

// Add appends lines to a SuperNode's log. Secrets are masked again, as the agent cannot be relied on. It is a [domain.Invalid] error
// for a part that does not exist, a [domain.Limited] one for a machine that sends too often.
func (n *Logs) Add(k domain.NodeKey, p domain.NodeLog) error {
	if p.Part != "supernode" && p.Part != "clientapp" {
		return domain.Errorf(domain.Invalid, "There is no log of %q.", p.Part).At("part")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	limit := n.limits[k.ID]
	if limit == nil {
		limit = rate.NewLimiter(perSecond, burst)
		n.limits[k.ID] = limit
	}
	if !limit.Allow() {
		return domain.Errorf(domain.Limited, "Logs come too often from this machine.").Fix("Wait some seconds.")
	}
	path := n.Path(k.FederationID, k.ID, p.Part)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making a SuperNode's directory: %w", err)
	}
	w, err := logfile.Open(path, keep, time.Now)
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
