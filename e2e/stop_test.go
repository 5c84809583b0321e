package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/keeper"
)

// stopWait is how long the servers of these tests may take to stop.
const stopWait = 4 * time.Second

// SIGTERM ends a server within --stop-wait, with exit code 0, while each of its jobs and connections is blocked. Its keeper and SuperLink
// run on, and the next server takes them back.
func TestSIGTERMEndsAServerWhateverIsBlocked(t *testing.T) {
	for _, engine := range []string{flowerEngine, builtinEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			endsWhateverIsBlocked(t, engine)
		})
	}
}

func endsWhateverIsBlocked(t *testing.T, engine string) {
	mail, called := silentMail(t)
	dir := t.TempDir()
	s := startWith(t, 10, freeAddr(t), append(mail, engine, "BLOSSOMTUNE_STOP_WAIT="+stopWait.String(),
		"PATH="+slowGit(t, dir)+":"+os.Getenv("PATH"), "BLOSSOMTUNE_APPS="+oddApps(t, dir))...)
	s.keepEngines()
	hash, cookie := s.app("steady"), s.signIn()

	ended := s.launch(hash, nil)
	ended = s.becomes(ended.Name, "running", 2*time.Minute)
	large := s.oddFiles(ended)
	s.admin.must("POST", "/runs/"+ended.Name+"/stop", nil, nil)
	s.becomes(ended.Name, "stopped", time.Minute)
	await(t, time.Minute, "the receipt reads the large file", func() (string, bool) { return "", opens(s.cmd.Process.Pid, large) })

	if _, err := http.PostForm(s.url+"/join/fed", url.Values{"email": {"new@example.org"}, "name": {"New"}}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-called:
	case <-time.After(time.Minute):
		t.Fatal("the mail server was not called")
	}
	go func() { _ = s.admin.try("POST", "/apps/git", map[string]string{"repository": "file://" + dir}, nil) }()
	git := 0
	await(t, time.Minute, "git runs", func() (string, bool) {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		git, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return fmt.Sprint(err), git > 0
	})
	defer s.opened(cookie, "/f/fed/events").Body.Close()
	defer s.opened(cookie, "/f/fed/runs/"+ended.Name+"/artifacts/large").Body.Close() // nobody reads it
	defer s.slowUpload().Close()

	stuck := s.launch(hash, nil)
	s.becomes(stuck.Name, "running", 2*time.Minute)
	link, of := s.linkPID(t), s.keeperOf(t)
	if err := syscall.Kill(link, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(link, syscall.SIGCONT) }()
	s.admin.must("POST", "/runs/"+stuck.Name+"/stop", nil, nil) // the driver asks a SuperLink that does not answer

	took, err := s.terminated(stopWait + 20*time.Second)
	if err != nil {
		t.Errorf("the server ended with %v\n%s", err, tail(filepath.Join(s.data, "server.log")))
	}
	if took > stopWait+2*time.Second {
		t.Errorf("the server took %s to stop, --stop-wait is %s\n%s", took, stopWait, tail(filepath.Join(s.data, "server.log")))
	}
	t.Logf("stopped within %s", took)
	if !of.Alive() || syscall.Kill(link, 0) != nil {
		t.Errorf("the keeper (%v) or its SuperLink has ended with the server", of)
	}
	await(t, 10*time.Second, "the end of git", func() (string, bool) { return fmt.Sprint(git), syscall.Kill(git, 0) != nil })
	if err := syscall.Kill(link, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.serve()
	s.awaitUp()
	if now := s.linkPID(t); now != link || s.keeperOf(t) != of {
		t.Errorf("the SuperLink was process %d, now it is %d; the keeper was %v, now it is %v", link, now, of, s.keeperOf(t))
	}
	s.becomes(stuck.Name, "stopped", time.Minute)
	if _, err := s.terminated(stopWait + 20*time.Second); err != nil {
		t.Errorf("the second server ended with %v", err)
	}
	s.flags = []string{"--stop-engine"} // and its engines with it, at the end
	s.serve()
}

// A server that is started while the last one stops waits for that and says so; see --stop-wait.
func TestAServerWaitsForTheLastOneToStop(t *testing.T) {
	t.Parallel()
	s := startWith(t, 2, freeAddr(t), "BLOSSOMTUNE_STOP_WAIT="+(8*time.Second).String())
	s.keepEngines()
	defer s.slowUpload().Close() // it stops in half of that time
	first := s.cmd
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, 5*time.Second, "the server says that it stops", func() (string, bool) {
		text, err := os.ReadFile(filepath.Join(s.data, "server.lock"))
		return fmt.Sprint(string(text), err), strings.Contains(string(text), "stopping")
	})
	s.flags = []string{"--stop-engine"}
	s.serve()
	if err := first.Wait(); err != nil {
		t.Errorf("the first server ended with %v", err)
	}
	text, err := os.ReadFile(filepath.Join(s.data, "server.log"))
	if err != nil || strings.Count(string(text), "waiting for it") != 1 || !strings.Contains(string(text), fmt.Sprintf("process %d", first.Process.Pid)) {
		t.Errorf("the log does not say once that it waits for process %d: %v\n%s", first.Process.Pid, err, text)
	}
}

// keepEngines starts the server again, now as one that leaves its engines running.
func (s *server) keepEngines() {
	s.t.Helper()
	s.kill()
	s.flags = []string{}
	s.serve()
	s.awaitUp()
}

// terminated sends SIGTERM and returns how long the server took to end, and how it ended; past the limit it is killed.
func (s *server) terminated(limit time.Duration) (time.Duration, error) {
	s.t.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	kill := time.AfterFunc(limit, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	err := s.cmd.Wait()
	return time.Since(began), err
}

func (s *server) keeperOf(t *testing.T) keeper.Identity {
	t.Helper()
	var st struct{ Keeper keeper.Identity }
	readJSON(t, filepath.Join(s.data, "federations", "1", "keeper.json"), &st)
	return st.Keeper
}

// oddFiles puts what nobody can read to its end into a run's directory: a FIFO, a sparse file of 3 TB, and one of 60 GB, whose path it
// returns.
func (s *server) oddFiles(r runView) (large string) {
	s.t.Helper()
	work := filepath.Join(filepath.Dir(s.logFile(r)), "work")
	if _, err := os.Stat(work); err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(work, "fifo"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	for name, size := range map[string]int64{"huge": 3 << 40, "large": 60 << 30} {
		f, err := os.Create(filepath.Join(work, name))
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		f.Close()
	}
	return filepath.Join(work, "large")
}

// opens reports whether a process has a file open.
func opens(pid int, path string) bool {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && to == path {
			return true
		}
	}
	return false
}

// silentMail is a mail server that takes connections and never says a word: the settings for it, and a channel that is closed at the first.
func silentMail(t *testing.T) (settings []string, called chan struct{}) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	called = make(chan struct{})
	go func() {
		for first := true; ; first = false {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if first {
				close(called)
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	return []string{"BLOSSOMTUNE_SMTP_HOST=127.0.0.1", "BLOSSOMTUNE_SMTP_PORT=" + portOf(ln.Addr().String()), "BLOSSOMTUNE_SMTP_FROM=fl@example.org", "BLOSSOMTUNE_SMTP_TLS=none"}, called
}

// slowGit makes a git that never ends, whatever it is sent, and returns its folder. It leaves its process id beside it.
func slowGit(t *testing.T, dir string) string {
	t.Helper()
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ntrap '' TERM INT HUP\necho $$ > '" + filepath.Join(dir, "pid") + "'\nwhile :; do sleep 1000; done\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return bin
}

// oddApps makes a watched folder in which one app has a FIFO for its pyproject.toml, and another one among its files.
func oddApps(t *testing.T, dir string) string {
	t.Helper()
	apps := filepath.Join(dir, "apps")
	for _, fifo := range []string{"one/pyproject.toml", "two/data.bin"} {
		path := filepath.Join(apps, fifo)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(apps, "two", "pyproject.toml"), []byte("[project]\nname = \"two\"\nversion = \"1.0.0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return apps
}

// opened asks for a page and reads nothing of its answer but the head.
func (s *server) opened(cookie, path string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: cookie})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s", path, res.Status)
	}
	return res
}

// slowUpload begins to upload an app, and goes on no further.
func (s *server) slowUpload() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	head := "POST /api/v1/apps?filename=x.fab HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + s.admin.Token +
		"\r\nContent-Type: application/octet-stream\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
	if _, err := io.WriteString(c, head); err != nil {
		s.t.Fatal(err)
	}
	begun := make([]byte, 12) // the server reads the body now
	if _, err := io.ReadFull(c, begun); err != nil || string(begun) != "HTTP/1.1 100" {
		s.t.Fatalf("%q %v", begun, err)
	}
	if _, err := io.WriteString(c, "PK"); err != nil {
		s.t.Fatal(err)
	}
	return c
}
