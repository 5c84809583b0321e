package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/agent"
)

// A participant who decides answers at once for a version that waits, and takes part after the approval. The run, the audit and the
// participant's own command say where it stands.
func TestAParticipantDecides(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	p := s.approved("One")
	p.join("--approve", "ask")
	two := s.approved("Two").join()
	dir := filepath.Join(p.home, "agent")
	app := s.app("steady")
	config := map[string]string{"num-server-rounds": "1", "pause": "0"}
	r := s.ends(s.launch(app, config).Name, 2*time.Minute)
	var failed struct {
		Failures []struct{ Message string } `json:"clientapp_failures"`
	}
	await(t, 20*time.Second, "the run says who has not approved it", func() (string, bool) {
		s.admin.must("GET", "/runs/"+r.Name, nil, &failed)
		return "", len(failed.Failures) == 1 && failed.Failures[0].Message == "has not approved this app version."
	})
	out, code := run(t, "apps", "--dir", dir)
	if code != 0 || !strings.Contains(out, "WAITING") || !strings.Contains(out, app) {
		t.Fatalf("apps: exit code %d: %s", code, out)
	}
	if out, code := run(t, "apps", "approve", app[:8], "--dir", dir); code == 0 {
		t.Errorf("eight digits approve a version: %s", out)
	}
	if out, code := run(t, "apps", "show", app[:16], "--dir", dir); code != 0 || !strings.Contains(out, "client_app.py") {
		t.Errorf("show: exit code %d: %s", code, out)
	}
	if out, code := run(t, "apps", "approve", app[:16], "--dir", dir); code != 0 {
		t.Fatalf("approve: exit code %d: %s", code, out)
	}
	r = s.becomes(s.launch(app, config).Name, "completed", 2*time.Minute)
	failed.Failures = nil
	if s.admin.must("GET", "/runs/"+r.Name, nil, &failed); len(failed.Failures) > 0 {
		t.Errorf("after the approval: %+v", failed.Failures)
	}
	two.interrupted()
	p.interrupted()
	s.kill()
	p.rehearses(app)
	s.serve() // it ends the engines, too, when it stops
}

// rehearses runs a rehearsal of the version that was approved last. A listener in the server's place hears nothing, and the ledger
// does
// not grow.
func (p *person) rehearses(app string) {
	t, dir := p.s.t.(*testing.T), filepath.Join(p.home, "agent")
	ln, err := net.Listen("tcp", p.s.addr)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = c.Close()
		}
	}()
	entries := func() []byte {
		text, err := os.ReadFile(filepath.Join(dir, "ledger.jsonl"))
		if err != nil || len(text) == 0 {
			t.Fatalf("the ledger has %d bytes: %v", len(text), err)
		}
		return text
	}
	before := entries()
	cmd := exec.CommandContext(t.Context(), bin(t), "rehearse", "--json", "--dir", dir, "--python-dir", filepath.Join(p.s.data, "python"),
		"--deps", "never")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	var r agent.Rehearsal
	if err != nil || json.Unmarshal(out, &r) != nil {
		t.Fatalf("rehearse: %v\n%s%s", err, out, &said)
	}
	_ = ln.Close()
	<-heard
	if r.FAB != app || !r.Complete || r.Bytes == 0 || len(r.Replies) != 2 {
		t.Fatalf("rehearse: %s", out)
	}
	for _, rec := range r.Replies[0].Records {
		if rec.Name == "" || rec.Kind == "" || rec.Bytes == 0 || rec.Kind == "ArrayRecord" &&
			(len(rec.Arrays) != 1 || !slices.Equal(rec.Arrays[0].Shape, []int64{4, 4})) {
			t.Errorf("a record: %+v", rec)
		}
	}
	if len(r.Replies[0].Records) != 2 || calls.Load() != 0 || !bytes.Equal(entries(), before) {
		t.Errorf("the server was called %d times; the rehearsal: %s", calls.Load(), out)
	}
}
