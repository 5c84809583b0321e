package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// superLinkPID finds the SuperLink's process.
func (s *server) superLinkPID(t testing.TB) int {
	t.Helper()
	for _, p := range processes(s.data) {
		if strings.Contains(p, "flower-superlink") {
			pid, _, _ := strings.Cut(p, " ")
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no SuperLink runs")
	return 0
}

// linkPID returns the process in which the federation's SuperLink runs: its own, or the keeper.
func (s *server) linkPID(t *testing.T) int {
	t.Helper()
	if s.onFlower() {
		return s.superLinkPID(t)
	}
	return s.keeperOf(t).PID
}

func (s *server) atRound(name string, round int) {
	s.t.Helper()
	await(s.t, 2*time.Minute, name+" is in round "+itoa(round), func() (string, bool) {
		r := s.get(name)
		return r.State + ", round " + itoa(r.Round), r.Round >= round
	})
}

// A run outlives kill -9 of the server and of its SuperLink; nothing of it is lost or doubled.
func TestARunOutlivesServerAndSuperLink(t *testing.T) {
	t.Parallel()
	s := startWith(t, 10, freeAddr(t), flowerEngine)
	s.approved("One").join()
	s.approved("Two").join()
	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "6", "pause": "0.2"})
	s.atRound(r.Name, 2)
	r = s.get(r.Name)
	s.kill()
	awaitMore(t, s.logFile(r)) // the ServerApp goes on without its server
	s.serve()
	s.atRound(r.Name, 4)
	pid := s.superLinkPID(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r = s.becomes(r.Name, "completed", 4*time.Minute)
	if again := s.superLinkPID(t); again == pid {
		t.Errorf("the SuperLink was not killed")
	}
	if text, err := os.ReadFile(s.logFile(r)); err != nil || !strings.Contains(string(text), "STEADY DONE") {
		t.Errorf("the ServerApp did not come to its end: %v", err)
	}
	s.sameAsPrinted(r)
	s.sameLog(r)
	var all []runView
	s.admin.must("GET", "/federations/fed/runs", nil, &all)
	dirs, _ := filepath.Glob(filepath.Join(s.data, "federations", "1", "runs", "*"))
	if len(all) != 1 || len(dirs) != 1 {
		t.Errorf("%d runs and %d engine runs, want one of each", len(all), len(dirs))
	}
}

// awaitMore waits until a log has grown.
func awaitMore(t *testing.T, path string) {
	t.Helper()
	size := func() int64 {
		st, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	before := size()
	await(t, time.Minute, "the log grows while no server runs", func() (string, bool) {
		now := size()
		return strconv.FormatInt(now, 10), now > before
	})
}

// kill -9 of the server around a launch leaves one engine run that ends, whatever the moment.
func TestALaunchSurvivesTheServer(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	hash := s.app("chatty")
	for i, wait := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond, 200 * time.Millisecond, 800 * time.Millisecond} {
		name := "kill-" + itoa(i)
		s.admin.must("POST", "/federations/fed/runs", map[string]any{"app": hash, "name": name, "config": map[string]string{"lines": "50"}}, nil)
		<-time.After(wait) // the moment of the kill is what is tried here
		s.kill()
		s.serve()
		r := s.becomes(name, "completed", time.Minute)
		s.sameLog(r)
	}
	dirs, _ := filepath.Glob(filepath.Join(s.data, "federations", "1", "runs", "*", "launch.json"))
	if len(dirs) != 6 {
		t.Errorf("%d engine runs were launched for 6 runs", len(dirs))
	}
}
