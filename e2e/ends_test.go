package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
)

// However a ServerApp ends, the run names it at once.
func TestHowAServerAppEndsIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	hash := s.app("ends")
	for _, c := range []struct {
		how     string
		code    domain.CauseCode
		message string
		exit    int
		memory  bool // the remedy is about the machine's memory
	}{
		{"sys.exit(0)", "early_exit", "The ServerApp ended itself with exit code 0 before Flower finished the run.", 0, false},
		{"os._exit(0)", "early_exit", "The ServerApp ended itself with exit code 0 before Flower finished the run.", 0, false},
		{"os._exit(17)", "early_exit", "The ServerApp ended before it asked any SuperNode, with exit code 17.", 17, false},
		{"SIGKILL", "signal", "The ServerApp was ended by SIGKILL.", -1, true},
		{"SIGSEGV", "signal", "The ServerApp was ended by SIGSEGV.", -1, false},
		{"stray, 0", "early_exit", "The ServerApp ended itself with exit code 0 before Flower finished the run.", 0, false},
	} {
		t.Run(c.how, func(t *testing.T) {
			r := s.becomes(s.launch(hash, map[string]string{"how": c.how}).Name, "failed", time.Minute)
			if r.Cause == nil {
				t.Fatal("no cause")
			}
			if r.Cause.Code != c.code || r.Cause.Message != c.message || r.Cause.ExitCode != c.exit || strings.Contains(r.Cause.Remedy, "out of memory") != c.memory || r.Cause.Remedy == "" {
				t.Errorf("cause %+v, want %+v", *r.Cause, c)
			}
			if late := r.EndedAt.Sub(s.processEnd(t, r)); late > 5*time.Second {
				t.Errorf("the run failed %s after its process", late)
			}
			if strings.HasPrefix(c.how, "stray") && s.stray(r).Alive() {
				t.Error("what the ServerApp left lives on")
			}
		})
	}
}

// stray waits until a ServerApp has left a process behind, and returns it; its start is unknown when it has ended. The app itself knows it
// by another id.
func (s *server) stray(r runView) keeper.Identity {
	s.t.Helper()
	var found []string
	await(s.t, time.Minute, "a stray process", func() (string, bool) {
		text, _ := os.ReadFile(s.logFile(s.get(r.Name)))
		found = named("stray-" + s.get(r.Name).EngineRunID)
		return string(text), strings.Contains(string(text), "\nstray\n") && (len(found) > 0 || s.get(r.Name).State != "running")
	})
	if len(found) == 0 {
		return keeper.Identity{}
	}
	pid, err := strconv.Atoi(filepath.Base(filepath.Dir(strings.Fields(found[0])[0])))
	if err != nil {
		s.t.Fatal(err)
	}
	id, _ := keeper.Of(pid)
	id.PID = pid
	return id
}

// Nothing that descends from a ServerApp outlives its run, and what this server ends is not told as someone else's deed: when the run
// is stopped, when it passes a limit, and when the keeper is killed.
func TestNothingOutlivesARun(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	hash := s.app("ends")
	for name, c := range map[string]struct {
		settings map[string]any
		end      func(r runView)
		state    string
		code     domain.CauseCode
		message  string
	}{
		"stopped": {map[string]any{}, func(r runView) { s.admin.must("POST", "/runs/"+r.Name+"/stop", nil, nil) }, "stopped", "stopped_by", "Stopped by "},
		"limited": {map[string]any{"wall_seconds": 8}, func(runView) {}, "failed", "wall_limit", "The run passed its time limit of 8 s"},
		"killed":  {map[string]any{}, func(runView) { s.killKeeper(t) }, "failed", "launcher", "The keeper was killed, and the ServerApp with it."},
	} {
		t.Run(name, func(t *testing.T) {
			s.launchWith(hash, name, map[string]string{"how": "stray"}, c.settings)
			r := s.becomes(name, "running", time.Minute)
			left := s.stray(r)
			if !left.Alive() {
				t.Fatal("the stray process does not run")
			}
			c.end(r)
			r = s.becomes(name, c.state, time.Minute)
			await(t, 10*time.Second, "the end of the stray process", func() (string, bool) { return left.String(), !left.Alive() })
			if r.Cause == nil || r.Cause.Code != c.code || !strings.HasPrefix(r.Cause.Message, c.message) || strings.Contains(r.Cause.Remedy, "memory") {
				t.Errorf("cause %+v", r.Cause)
			}
		})
	}
}

// killKeeper kills the federation's keeper and waits until another one is up.
func (s *server) killKeeper(t testing.TB) {
	t.Helper()
	var st struct{ Keeper keeper.Identity }
	readJSON(t, filepath.Join(s.data, "federations", "1", "keeper.json"), &st)
	if err := syscall.Kill(st.Keeper.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.awaitUp()
}

// A SuperLink that stands still is restarted, its status says why, and a run that was under way completes.
func TestASuperLinkThatHangsIsRestarted(t *testing.T) {
	t.Parallel()
	s := startWith(t, 10, freeAddr(t), flowerEngine)
	s.approved("One").join()
	s.approved("Two").join()
	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "4", "pause": "0.2"})
	s.atRound(r.Name, 2)
	pid := s.superLinkPID(t)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var fed struct {
		SuperLink struct {
			State, Reason string
			Restarts      int
		} `json:"superlink"`
	}
	await(t, time.Minute, "a restart", func() (string, bool) {
		s.admin.must("GET", "/federations/fed", nil, &fed)
		return fed.SuperLink.State + ": " + fed.SuperLink.Reason, fed.SuperLink.State == "up" && fed.SuperLink.Restarts == 1
	})
	if fed.SuperLink.Reason != "It did not answer its health check for 30 s, so it was restarted." {
		t.Errorf("the reason is %q", fed.SuperLink.Reason)
	}
	if again := s.superLinkPID(t); again == pid {
		t.Error("it is the same process")
	}
	r = s.becomes(r.Name, "completed", 4*time.Minute)
	s.sameAsPrinted(r)
}
