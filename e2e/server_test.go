// Package e2e holds the tests that run the built binary with a real flwr: server, keeper, SuperLink, agents, SuperNodes.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/testflwr"
)

var binary struct {
	sync.Once
	path string
	err  error
}

// programEnv names a program that is built already, for tests that run as another user.
const programEnv = "BLOSSOMTUNE_TEST_PROGRAM"

// bin builds the program once for all tests.
func bin(t testing.TB) string {
	t.Helper()
	binary.Do(func() {
		if binary.path = os.Getenv(programEnv); binary.path != "" {
			return
		}
		dir, err := os.MkdirTemp("", "blossomtune-e2e-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "blossomtune")
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", binary.path, "./cmd/blossomtune")
		cmd.Dir = testflwr.Root(t)
		out, err := cmd.CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("building: %w: %s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func TestMain(m *testing.M) {
	m.Run()
	if binary.path != "" && os.Getenv(programEnv) == "" {
		_ = os.RemoveAll(filepath.Dir(binary.path))
	}
}

// server is a running `blossomtune serve`.
type server struct {
	t     testing.TB
	data  string
	addr  string
	url   string
	env   python.Env
	with  []string // settings by the environment
	flags []string // nil: --stop-engine
	prog  string   // the program
	cmd   *exec.Cmd
	admin *apiClient
}

// newData makes a data directory whose Python environment is the one that all tests share.
func newData(t testing.TB) string {
	t.Helper()
	env := testflwr.Venv(t)
	data := t.TempDir()
	if err := os.Symlink(filepath.Dir(env.Dir), filepath.Join(data, "python")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noProcesses(t, data) })
	return data
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start starts a server with one federation, "fed", whose SuperLink is up. Everything ends with the test.
func start(t testing.TB, partitions int) *server {
	t.Helper()
	return startWith(t, partitions, freeAddr(t))
}

// The engines of a federation, as settings of a server. Where a test sets none, it is the builtin one, or as the environment says.
const (
	builtinEngine = "BLOSSOMTUNE_ENGINE=builtin"
	flowerEngine  = "BLOSSOMTUNE_ENGINE=flower"
)

// onBothEngines runs a test with the builtin SuperLink and, at the same time, with Flower's own.
func onBothEngines(t *testing.T, partitions int, test func(t *testing.T, s *server)) {
	t.Helper()
	for _, engine := range []string{builtinEngine, flowerEngine} {
		_, name, _ := strings.Cut(engine, "=")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startWith(t, partitions, freeAddr(t), engine))
		})
	}
}

// startWith is start with an address to listen on and further settings.
func startWith(t testing.TB, partitions int, addr string, settings ...string) *server {
	t.Helper()
	return startAs(t, bin(t), partitions, addr, settings...)
}

// startAs is startWith with a program of its own.
func startAs(t testing.TB, prog string, partitions int, addr string, settings ...string) *server {
	t.Helper()
	s := &server{t: t, data: newData(t), addr: addr, env: testflwr.Venv(t), with: settings, prog: prog}
	_, port, _ := net.SplitHostPort(s.addr)
	s.url = "http://localhost:" + port
	t.Cleanup(s.stopAll)
	s.serve()
	token := exec.CommandContext(t.Context(), bin(t), "token", "create", "--role", "admin", "--data", s.data)
	token.Env = append(os.Environ(), s.with...)
	out, err := token.Output()
	if err != nil {
		t.Fatalf("making a token: %v", err)
	}
	s.admin = newClient(s, strings.TrimSpace(string(out)))
	s.admin.must("POST", "/federations", map[string]any{"slug": "fed", "name": "Fed", "partitions": partitions}, nil)
	s.admin.must("PUT", "/federations/fed/superlink", map[string]string{"state": "up"}, nil)
	s.awaitUp()
	return s
}

func (s *server) awaitUp() {
	s.t.Helper()
	await(s.t, time.Minute, "the SuperLink is up", func() (string, bool) {
		var f struct {
			SuperLink struct{ State, Reason string }
		}
		if err := s.admin.try("GET", "/federations/fed", nil, &f); err != nil {
			return err.Error(), false
		}
		return f.SuperLink.State + " " + f.SuperLink.Reason, f.SuperLink.State == "up"
	})
}

// serve starts the server process, also again on the same data.
func (s *server) serve() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.data, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	flags := s.flags
	if flags == nil {
		flags = []string{"--stop-engine"}
	}
	s.cmd = exec.CommandContext(context.Background(), s.prog, append([]string{"serve", "--data", s.data, "--listen", s.addr}, flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = append(os.Environ(), s.with...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	await(s.t, 2*time.Minute, "the server is ready", func() (string, bool) {
		res, err := http.Get(s.url + "/readyz")
		if err != nil {
			return err.Error(), false
		}
		defer res.Body.Close()
		return res.Status, res.StatusCode == http.StatusOK
	})
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait()
}

// stopAll ends the server and with it its engines.
func (s *server) stopAll() {
	if s.cmd == nil {
		return
	}
	if s.cmd.ProcessState != nil { // it was killed: its engines are taken back by another, which ends them
		s.serve()
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the server ended with %v", err)
	}
	if s.t.Failed() {
		s.t.Logf("server.log:\n%s", tail(filepath.Join(s.data, "server.log")))
		s.t.Logf("keeper.log:\n%s", tail(filepath.Join(s.data, "federations", "1", "keeper.log")))
	}
}

func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

// await polls until done, and fails the test with what was seen last.
func await(t testing.TB, limit time.Duration, what string, done func() (string, bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, ok := done()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("within %s it did not come to: %s; last: %s", limit, what, seen)
		case <-tick.C:
		}
	}
}

// noProcesses fails the test if any process still works in a directory.
func noProcesses(t testing.TB, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		left := processes(dir)
		if len(left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("processes are left: %s", strings.Join(left, "\n"))
			return
		case <-tick.C:
		}
	}
}

// processes lists those that name a directory in their command line or environment, and are no zombies.
func processes(dir string) []string {
	var out []string
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range found {
		cmdline, err := os.ReadFile(p + "/cmdline")
		if err != nil || len(cmdline) == 0 {
			continue
		}
		environ, _ := os.ReadFile(p + "/environ")
		if filepath.Base(p) != fmt.Sprint(os.Getpid()) && (bytes.Contains(cmdline, []byte(dir)) || bytes.Contains(environ, []byte(dir))) {
			out = append(out, filepath.Base(p)+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return out
}

// apiClient calls the API.
type apiClient struct {
	s *server
	client.Client
}

func newClient(s *server, token string) *apiClient {
	jar, _ := cookiejar.New(nil)
	return &apiClient{s, client.Client{Server: s.url, Token: token, HTTP: &http.Client{Jar: jar, Timeout: 30 * time.Second}}}
}

// try calls an operation. Bytes are uploaded; everything else is sent as JSON.
func (c *apiClient) try(method, path string, in, out any) error {
	c.Server = c.s.url // a server that was started again may have another address
	if raw, ok := in.([]byte); ok {
		return c.Upload(context.Background(), path, raw, out)
	}
	return c.Do(context.Background(), method, path, in, out)
}

func (c *apiClient) must(method, path string, in, out any) {
	c.s.t.Helper()
	if err := c.try(method, path, in, out); err != nil {
		c.s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// refused fails the test unless err is a refusal of this kind at this field, with a remedy.
func refused(t testing.TB, err error, code domain.Code, field string) *domain.Error {
	t.Helper()
	var e *domain.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal with code %s", err, code)
	}
	if e.Code != code || e.Field != field || e.Message == "" {
		t.Fatalf("got %s at %q: %s; want %s at %q", e.Code, e.Field, e.Message, code, field)
	}
	return e
}
