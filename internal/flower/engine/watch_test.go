//go:build unix

package engine

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
)

// fakeSuperLink has the health check of a SuperLink. Files beside its database say how it answers.
const fakeSuperLink = `#!/usr/bin/env python3
import http.server, os, ssl, sys, time
arg = lambda name: sys.argv[sys.argv.index(name) + 1]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.6 if os.path.exists("slow") else 0)
        self.send_response(500 if os.path.exists("broken") else 200)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer((arg("--host"), int(arg("--port"))), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(arg("--ssl-certfile"), arg("--ssl-keyfile"))
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
`

// startFake keeps a fake SuperLink alive, which may be silent for a second.
func startFake(t *testing.T) *flowerLink {
	t.Helper()
	env := python.Env{Dir: t.TempDir()}
	program := env.Bin("flower-superlink")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte(fakeSuperLink), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := ensureTLS(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	s := &flowerLink{fedDir: dir, env: env, clock: time.Now, log: slog.New(slog.DiscardHandler), changed: func() {}, policy: keeper.DefaultPolicy,
		silence: time.Second, again: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return s
}

// becomes waits for a status.
func (s *flowerLink) becomes(t *testing.T, what string, ok func(domain.SuperLink) bool) domain.SuperLink {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok(s.Status()) {
		select {
		case <-ctx.Done():
			t.Fatalf("30 s have not brought %s: it is %+v", what, s.Status())
		case <-tick.C:
		}
	}
	return s.Status()
}

func isUp(l domain.SuperLink) bool { return l.State == domain.SuperLinkUp }

// A SuperLink that answers no health check is killed and started again, and its status says why.
func TestASilentSuperLinkIsRestarted(t *testing.T) {
	for name, silence := range map[string]func(s *flowerLink, pid int) error{
		"it stands still": func(_ *flowerLink, pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) },
		"it only fails":   func(s *flowerLink, _ int) error { return os.WriteFile(filepath.Join(s.fedDir, "broken"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := startFake(t)
			first := s.becomes(t, "a SuperLink", isUp)
			if first.Reason != "" || first.Restarts != 0 {
				t.Errorf("%+v", first)
			}
			if err := silence(s, first.PID); err != nil {
				t.Fatal(err)
			}
			s.becomes(t, "a warning", func(l domain.SuperLink) bool {
				return l.State == domain.SuperLinkUnreachable && strings.Contains(l.Reason, "It is restarted when it has not answered for 1 s.")
			})
			s.becomes(t, "a restart", func(l domain.SuperLink) bool { return l.Restarts == 1 })
			_ = os.Remove(filepath.Join(s.fedDir, "broken"))
			again := s.becomes(t, "another SuperLink", isUp)
			if again.PID == first.PID || again.Restarts != 1 || again.Reason != "It did not answer its health check for 1 s, so it was restarted." {
				t.Errorf("%+v, after %+v", again, first)
			}
			if again.Address != first.Address {
				t.Errorf("it moved from %s to %s", first.Address, again.Address)
			}
		})
	}
}

// A slow answer is an answer.
func TestASlowSuperLinkLivesOn(t *testing.T) {
	s := startFake(t)
	if err := os.WriteFile(filepath.Join(s.fedDir, "slow"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first := s.becomes(t, "a SuperLink", isUp)
	s.becomes(t, "a warning", func(l domain.SuperLink) bool { return l.State == domain.SuperLinkUnreachable })
	for range 3 {
		s.becomes(t, "an answer", isUp)
		s.becomes(t, "a warning", func(l domain.SuperLink) bool { return l.State == domain.SuperLinkUnreachable })
	}
	if now := s.Status(); now.Restarts != 0 || now.PID != first.PID {
		t.Errorf("it was restarted: %+v", now)
	}
}
