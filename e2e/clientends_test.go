package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// endings are the ways in which a ClientApp may end without a result, and how the run page says it.
var endings = []struct{ how, message string }{
	{"exit-0", "ended its process with exit code 0 before it replied."},
	{"sys-exit-0", "ended its process with exit code 0 before it replied."},
	{"exit-17", "ended with exit code 17."},
	{"sigkill", "was ended by SIGKILL."},
	{"sigsegv", "was ended by SIGSEGV."},
	{"raise", "raised Odd, client_app.py:39 in end, “raise Odd(\"secret-of-the-participant\")”."},
	{"none", "returned None instead of a reply."},
	{"import", "cannot import not_installed_here."},
	{"hang", "passed the time limit that its owner has set."},
	{"stray", "ended with exit code 3."},
}

// roundLine is what the app prints of a round.
var roundLine = regexp.MustCompile(`\[ROUND (\d+)/\d+\] (\d+) results, (\d+) errors in ([0-9.]+) s`)

type roundSaid struct {
	results, errors int
	seconds         float64
}

func (s *server) roundsSaid(name string) []roundSaid {
	s.t.Helper()
	text, err := os.ReadFile(s.logFile(s.get(name)))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []roundSaid
	for _, m := range roundLine.FindAllStringSubmatch(string(text), -1) {
		var r roundSaid
		r.results, _ = strconv.Atoi(m[2])
		r.errors, _ = strconv.Atoi(m[3])
		r.seconds, _ = strconv.ParseFloat(m[4], 64)
		out = append(out, r)
	}
	return out
}

// However a ClientApp ends, in the first message of a run or in a later one, its message is answered at once, the run names the
// participant and the cause, and the SuperNode takes the next message: nothing is restarted in all of these runs.
func TestHoweverAClientAppEnds(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	bad := s.approved("Bad").join("--app-time", "6s")
	s.approved("Good").join()
	hash := s.app("endings")
	s.launchWith(hash, "first", nil, nil) // starts the warm Python processes
	s.becomes("first", "completed", 2*time.Minute)
	for _, c := range endings {
		for _, round := range []int{1, 2} {
			name := fmt.Sprintf("%s-%d", c.how, round)
			s.launchWith(hash, name, map[string]string{"how": c.how, "round": itoa(round)}, nil)
			r := s.becomes(name, "completed", 2*time.Minute)
			said := s.roundsSaid(name)
			if len(said) != 2 {
				t.Fatalf("%s: %+v", name, said)
			}
			for i, got := range said {
				want := roundSaid{results: 2}
				if i+1 == round {
					want = roundSaid{results: 1, errors: 1}
				}
				if got.results != want.results || got.errors != want.errors {
					t.Errorf("%s, round %d: %+v, want %+v", name, i+1, got, want)
				}
			}
			if limit := 5.0; c.how != "hang" && said[round-1].seconds > limit {
				t.Errorf("%s: the round with the failure took %.1f s, more than %.0f", name, said[round-1].seconds, limit)
			}
			s.failed(name, bad, c.message)
			if c.how == "stray" {
				await(t, 10*time.Second, "the stray process is gone", func() (string, bool) {
					left := named("stray-" + r.EngineRunID)
					return strings.Join(left, ", "), len(left) == 0
				})
			}
		}
	}
	if text, err := os.ReadFile(filepath.Join(bad.home, "node.log")); err != nil || strings.Contains(string(text), "secret-of-the-participant") || strings.Count(string(text), "Connected as SuperNode") != 1 {
		t.Errorf("join said, %v:\n%s", err, text)
	}
}

// failed waits until a run names one failure, of a participant, with these words.
func (s *server) failed(name string, p *person, message string) {
	s.t.Helper()
	var r told
	await(s.t, 5*time.Second, name+" names the participant", func() (string, bool) {
		r = s.told(name)
		return fmt.Sprintf("%+v", r.Failures), len(r.Failures) == 1 && r.Failures[0].Message == message
	})
	if f := r.Failures[0]; f.NodeID != s.node(p.partition).NodeID || f.Remedy == "" {
		s.t.Errorf("%s: %+v", name, f)
	}
}

// named lists the processes whose command line has a word.
func named(word string) []string {
	var out []string
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range found {
		if text, err := os.ReadFile(p); err == nil && strings.Contains(string(text), word) {
			out = append(out, p+" "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return out
}

// A run that is stopped while its model still downloads, or while its ClientApps work, leaves SuperNodes free at once, and no process.
func TestAStoppedRunFreesItsSuperNodes(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	one := s.approved("One").join()
	s.approved("Two").join()
	hash := s.app("endings")
	for name, config := range map[string]map[string]string{
		"downloads": {"megabytes": "200"},
		"hangs":     {"how": "hang"},
	} {
		s.launchWith(hash, name, config, nil)
		await(t, time.Minute, "a message is taken", func() (string, bool) {
			text, _ := os.ReadFile(filepath.Join(one.home, "agent", "supernode.log"))
			r := s.get(name)
			return string(text), r.EngineRunID != "" && strings.Contains(string(text), "Received: run "+r.EngineRunID)
		})
		s.admin.must("POST", "/runs/"+name+"/stop", nil, nil)
		s.becomes(name, "stopped", time.Minute)
		await(t, 10*time.Second, "its ClientApps are gone", func() (string, bool) {
			left := taskProcesses(s.data)
			return strings.Join(left, ", "), len(left) == 0
		})
		s.launchWith(hash, "after-"+name, nil, nil)
		s.becomes("after-"+name, "completed", time.Minute)
		for i, got := range s.roundsSaid("after-" + name) {
			if got.results != 2 || got.errors != 0 {
				t.Errorf("after %s, round %d: %+v", name, i+1, got)
			}
		}
	}
}

// taskProcesses lists the ClientApps that run for participants below a directory; each has a token file of its own there.
func taskProcesses(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, "people", "*", "agent", "task_*"))
	return found
}

// Plain SuperNodes cannot be healed by us: however a ClientApp of theirs ended, each either takes the next message, or is shown as stuck.
func TestPlainSuperNodesThatGetStuckAreShown(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	hows := []string{"exit-0", "exit-17", "sigkill", "raise", "none", "hang"}
	for i, how := range hows {
		if p := s.approved("Plain" + itoa(i)); p.partition != i {
			t.Fatalf("partition %d is for %s", p.partition, how)
		} else {
			p.plain()
		}
	}
	hash, nodes := s.app("endings"), itoa(len(hows))
	s.launchWith(hash, "odd", map[string]string{"how": strings.Join(hows, ","), "rounds": "1", "nodes": nodes, "timeout": "75"}, nil)
	s.becomes("odd", "completed", 3*time.Minute)
	s.launchWith(hash, "next", map[string]string{"rounds": "1", "nodes": nodes, "timeout": "45"}, nil)
	s.becomes("next", "completed", 3*time.Minute)
	said := s.roundsSaid("next")
	if len(said) != 1 {
		t.Fatalf("%+v", said)
	}
	stuck := func() (out []int) {
		var all []struct {
			Partition int
			Stuck     *json.RawMessage
		}
		s.admin.must("GET", "/federations/fed/nodes", nil, &all)
		for _, n := range all {
			if n.Stuck != nil {
				out = append(out, n.Partition)
			}
		}
		return out
	}
	await(t, 90*time.Second, "each SuperNode without a reply is shown as stuck", func() (string, bool) {
		now := stuck()
		return fmt.Sprintf("%d replied, stuck are %v", said[0].results, now), said[0].results+len(now) == len(hows)
	})
	if said[0].results == len(hows) {
		t.Error("no SuperNode got stuck: then this test shows nothing")
	}
}
