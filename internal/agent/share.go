package agent

import (
	"context"
	"crypto/sha256"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// With --share-logs, new lines of the SuperNode's and the ClientApps' logs go to the server as they come: what is stored here, so
// secrets are masked, at most 500 lines and 64 KiB of a log each two seconds. What is more stays here, and its number is told.
const (
	shareEvery = 2 * time.Second
	shareLines = 500
)

// sharedLog is how far one log has been sent.
type sharedLog struct {
	file *logfile.File
	part string
	run  string
	next int
	gen  int

	recorded [sha256.Size]byte // of the lines that were recorded last
}

// share sends new lines until ctx ends. What was written before it began stays here.
func (n *node) share(ctx context.Context) {
	logs := map[string]*sharedLog{}
	first := true
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	for {
		n.findLogs(logs, first)
		first = false
		for _, l := range logs {
			n.send(ctx, l)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// findLogs adds logs that are new; those that were there at the begin from their end on.
func (n *node) findLogs(logs map[string]*sharedLog, first bool) {
	add := func(path, part, run string) {
		if logs[path] != nil {
			return
		}
		l := &sharedLog{file: logfile.New(path), part: part, run: run, next: 1}
		if total, err := l.file.Total(); err == nil && first {
			l.next = total + 1
		}
		logs[path] = l
	}
	add(n.h.logFile(), "supernode", "")
	found, _ := filepath.Glob(n.h.file(filepath.Join("runs", "*.log"))) // the pattern is sound, so there is no error
	for _, path := range found {
		add(path, "clientapp", strings.TrimSuffix(filepath.Base(path), ".log"))
	}
}

// send sends the next lines of a log; a server that is away gets them later.
func (n *node) send(ctx context.Context, l *sharedLog) {
	if n.gate.NoLogs() {
		return
	}
	p, err := l.file.Page(logfile.Query{From: l.next, Limit: 1})
	if err != nil {
		return
	}
	if p.Gen != l.gen {
		l.gen, l.next = p.Gen, 1
	}
	out := client.NodeLog{Part: l.part, RunID: l.run, Lines: []string{}}
	from := l.next
	if over := p.Total - from + 1 - shareLines; over > 0 {
		out.LeftOut, from = over, from+over
	}
	p, err = l.file.Page(logfile.Query{From: from, Limit: shareLines})
	if err != nil || len(p.Lines) == 0 {
		return
	}
	size, next := 0, from
	for _, line := range p.Lines {
		if size += len(line.Text); size > domain.MaxNodeLog {
			break
		}
		out.Lines, next = append(out.Lines, line.Text), line.N+1
	}
	if !n.recordLog(l, out) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if n.j.srv.call(ctx, n.conn.client(), http.MethodPost, "/agent/logs", out, n.signed, nil) == nil {
		l.next = next
	}
}

// recordLog records what is going to be shared of a log; the same lines once. What cannot be recorded stays here.
func (n *node) recordLog(l *sharedLog, out client.NodeLog) bool {
	text := []byte(strings.Join(out.Lines, "\n"))
	if sum := sha256.Sum256(text); sum != l.recorded {
		if err := n.rec.shared(ledger.Log, out.Part, out.RunID, len(out.Lines), text); err != nil {
			return false
		}
		l.recorded = sum
	}
	return true
}
