package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// told is what the API tells of a run beside [runView].
type told struct {
	runView
	StartingAt *time.Time `json:"starting_at"`
	Waits      *struct {
		What, Helps string
		Since       *time.Time
		Late        bool
	}
	Failures []struct {
		NodeID          string `json:"node_id"`
		Message, Remedy string
	} `json:"clientapp_failures"`
}

func (s *server) told(name string) told {
	s.t.Helper()
	var r told
	s.admin.must("GET", "/runs/"+name, nil, &r)
	return r
}

// launchWith launches an app with a config and settings.
func (s *server) launchWith(hash, name string, config map[string]string, settings map[string]any) {
	s.t.Helper()
	s.admin.must("POST", "/federations/fed/runs", map[string]any{"app": hash, "name": name, "config": config, "settings": settings}, nil)
}

// waitsFor waits until a run says what it waits for.
func (s *server) waitsFor(name, what string, limit time.Duration) told {
	s.t.Helper()
	var r told
	await(s.t, limit, name+" "+what, func() (string, bool) {
		r = s.told(name)
		if r.Waits == nil {
			return r.State, false
		}
		return r.State + ", " + r.Waits.What, strings.HasPrefix(r.Waits.What, what)
	})
	if r.Waits.Helps == "" || r.Waits.Since == nil {
		s.t.Errorf("%s does not say since when it waits, or what helps: %+v", name, *r.Waits)
	}
	return r
}

// failedBy fails the test unless a run fails with this cause, at this place, with a remedy.
func (s *server) failedBy(name string, code domain.CauseCode, where, message string, limit time.Duration) told {
	s.t.Helper()
	s.becomes(name, "failed", limit)
	r := s.told(name)
	if c := r.Cause; c == nil || c.Code != code || c.Where != where || !strings.HasPrefix(c.Message, message) || c.Remedy == "" {
		s.t.Errorf("%s failed with %+v, want %s at %s: %s", name, r.Cause, code, where, message)
	}
	if left := serverApps(s.data); len(left) > 0 {
		s.t.Errorf("of %s there is still %v", name, left)
	}
	return r
}

// Three runs launched together run one after the other in the queue's order, each with its own artifacts and log. How a run was
// set reaches its ServerApp, and one that takes more memory than it may ends and says so.
func TestRunsGoOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	hash := s.app("works")
	for _, word := range []string{"one", "two", "three"} {
		s.launchWith(hash, "w-"+word, map[string]string{"word": word, "seconds": "3"}, nil)
		await(t, time.Minute, "the first is taken from the queue", func() (string, bool) {
			got := s.get("w-one").State
			return got, got != "queued"
		})
	}
	s.admin.must("POST", "/runs/w-three/move", map[string]int{"place": 1}, nil)
	var last told
	for _, word := range []string{"one", "three", "two"} {
		s.becomes("w-"+word, "completed", time.Minute)
		r := s.told("w-" + word)
		if last.EndedAt != nil && r.StartingAt.Before(*last.EndedAt) {
			t.Errorf("%s started %s before %s ended", r.Name, last.EndedAt.Sub(*r.StartingAt), last.Name)
		}
		last = r
		log, err := os.ReadFile(s.logFile(r.runView))
		artifact, err2 := os.ReadFile(filepath.Join(filepath.Dir(s.logFile(r.runView)), "work", "out.txt"))
		if err != nil || err2 != nil || string(artifact) != word || strings.Count(string(log), "DONE ") != 1 || !strings.Contains(string(log), "DONE "+word) {
			t.Errorf("%s wrote %q, %v, %v:\n%s", word, artifact, err, err2, log)
		}
	}

	t.Run("its settings", func(t *testing.T) {
		s.launchWith(hash, "set", nil, map[string]any{"cpus": 1, "environment": map[string]string{"MODE": "fast"}, "package_index": "https://packages.example.org/simple", "log_level": "DEBUG", "memory_mb": 4000})
		s.becomes("set", "completed", time.Minute)
		log, err := os.ReadFile(s.logFile(s.get("set")))
		want := "CORES 1 ENV {'MODE': 'fast', 'OMP_NUM_THREADS': '1', 'UV_DEFAULT_INDEX': 'https://packages.example.org/simple'}"
		if err != nil || !strings.Contains(string(log), want) || !strings.Contains(string(log), "a line for debugging") {
			t.Errorf("%v, want %s and a line for debugging:\n%s", err, want, log)
		}
	})
	t.Run("its memory", func(t *testing.T) {
		s.launchWith(hash, "large", map[string]string{"megabytes": "700", "seconds": "60"}, map[string]any{"memory_mb": 500})
		s.failedBy("large", "memory_limit", "ServerApp", "The ServerApp held ", time.Minute)
	})
	t.Run("its whole time", func(t *testing.T) {
		s.launchWith(hash, "long", map[string]string{"seconds": "60"}, map[string]any{"wall_seconds": 5})
		s.failedBy("long", "wall_limit", "ServerApp", "The run passed its time limit of 5 s", time.Minute)
	})
	t.Run("its SuperLink rests", func(t *testing.T) { rests(t, s, hash) })
}

// rests lets the SuperLink stop for want of a run, and start for the next one.
func rests(t *testing.T, s *server, hash string) {
	s.admin.must("PATCH", "/federations/fed/run-policy", map[string]int{"idle_stop_minutes": 1}, nil)
	link := func(want string) {
		t.Helper()
		await(t, 100*time.Second, "the SuperLink "+want, func() (string, bool) {
			var f struct {
				SuperLink struct {
					State string
					Idle  bool
				}
			}
			s.admin.must("GET", "/federations/fed", nil, &f)
			got := fmt.Sprintf("%s, idle: %v", f.SuperLink.State, f.SuperLink.Idle)
			return got, got == want
		})
	}
	link("stopped, idle: true")
	s.launchWith(hash, "next", nil, nil)
	s.becomes("next", "completed", time.Minute)
	link("up, idle: false")
}

// Whatever participants do, a run ends in a clear state that names who was waited for.
func TestWhoIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	joined, plain := s.approved("Joined").join(), s.approved("Plain").plain()

	t.Run("one raises", func(t *testing.T) {
		s.launchWith(s.app("one_fails"), "raises", map[string]string{"num-server-rounds": "2", "pause": "0"}, nil)
		s.ends("raises", 2*time.Minute)
		r := s.told("raises")
		if len(r.Failures) != 1 || r.Failures[0].NodeID != s.node(plain.partition).NodeID || r.Failures[0].Message != "cannot import not_installed_here." || r.Failures[0].Remedy == "" {
			t.Errorf("%s, failures %+v", r.State, r.Failures)
		}
	})
	t.Run("too few", func(t *testing.T) {
		s.launchWith(s.app("steady"), "few", map[string]string{"min-nodes": "3"}, map[string]any{"no_progress_seconds": 12})
		r := s.waitsFor("few", "waits for 3 SuperNodes, 2 online", time.Minute)
		if !r.Waits.Late {
			t.Error("it is said to come right by itself")
		}
		s.failedBy("few", "no_progress_limit", "SuperNodes", "Waits for 3 SuperNodes, 2 online since ", time.Minute)
	})
	t.Run("one never replies", func(t *testing.T) {
		s.launchWith(s.app("silent"), "silent", nil, map[string]any{"round_seconds": 20})
		who := fmt.Sprintf("artition %d", plain.partition)
		s.waitsFor("silent", "waits for p"+who+" to train", time.Minute)
		s.failedBy("silent", "round_limit", "P"+who, "P"+who+" silent in round 1, 20 s limit passed.", time.Minute)
	})
	t.Run("one vanishes in mid-round", func(t *testing.T) {
		s.launchWith(s.app("steady"), "vanish", map[string]string{"pause": "5"}, map[string]any{"no_progress_seconds": 90})
		s.waitsExchange("vanish", 1)
		who := fmt.Sprintf("artition %d", joined.partition)
		if err := syscall.Kill(-joined.node.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, 2*time.Minute, "the run says what it waits for since then", func() (string, bool) {
			w := s.told("vanish").Waits
			if w == nil {
				return "nothing", false
			}
			return w.What, w.Late && (w.What == "waits for p"+who+", offline" || w.What == "waits for 2 SuperNodes, 1 online")
		})
		// Its reply is missing, or Flower has given it up already and the strategy waits for a second SuperNode: it is named either way.
		r := s.failedBy("vanish", "no_progress_limit", "P"+who, "", 5*time.Minute)
		if !strings.Contains(r.Cause.Message, who) {
			t.Errorf("the cause does not name it: %s", r.Cause.Message)
		}
	})
}

// waitsExchange waits until a run's round has begun.
func (s *server) waitsExchange(name string, round int) {
	s.t.Helper()
	await(s.t, time.Minute, name+" is in a round", func() (string, bool) {
		r := s.get(name)
		return r.State, r.State == "running" && r.Round >= round
	})
}
