package e2e

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// A hostile ServerApp and a hostile ClientApp reach nothing of the server, of other runs, of the participant and of the system: not one of
// all these ways leads out. With --contain=off the same ClientApp gets out in most ways, so the ways themselves work.
func TestHostileAppsStayInside(t *testing.T) { hostileAppsStayInside(t) }

// The same as an ordinary user and with Flower's SuperLink, where this one is root.
func TestHostileAppsOfAnOrdinaryUserStayInside(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("TestHostileAppsStayInside runs as an ordinary user already")
		return
	}
	t.Parallel()
	asNobody(t, "TestHostileAppsStayInside", flowerEngine)
}

func hostileAppsStayInside(t *testing.T) {
	t.Parallel()
	s := startWith(t, 10, freeAddr(t), "BLOSSOMTUNE_SMTP_PASSWORD=a-password-of-the-server")
	inside := s.approved("Inside").join()
	works := s.app("works")
	s.becomes(s.launch(works, nil).Name, "completed", 2*time.Minute) // another run, to be read
	other := s.get(s.launch(works, nil).Name)
	s.becomes(other.Name, "completed", 2*time.Minute)
	fed := filepath.Join(s.data, "federations", "1")
	agent := filepath.Join(inside.home, "agent")
	keys, _ := filepath.Glob(filepath.Join(agent, "key_*"))
	home, err := os.UserHomeDir()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, keys %v", err, keys)
	}
	mine := filepath.Join(home, ".hostile-"+strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(mine, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(mine) })
	targets := map[string]any{
		"files": append(keys, filepath.Join(agent, "state.json"), mine, filepath.Join(s.data, "blossomtune.db"), filepath.Join(fed, "superexec.secret"),
			s.linkDatabase(), filepath.Join(fed, "tls", "server.key"), s.logFile(other),
			filepath.Join(filepath.Dir(s.logFile(other)), "launch.json")),
		"folders": [][]string{{s.data, "blossomtune.db"}, {fed, "superexec.secret"}, {filepath.Join(fed, "runs"), other.EngineRunID}, {filepath.Dir(s.logFile(other)), "launch.json"},
			{agent, "state.json"}, {home, filepath.Base(mine)}, {"/etc", "shadow"}, {"/run", "lock"}},
		"ports": []int{portNumber(t, s.addr)}, "sockets": []string{filepath.Join(fed, "keeper.sock")},
		"pids":      []int{s.cmd.Process.Pid, s.keeperPID(), inside.node.Process.Pid},
		"variables": []string{"BLOSSOMTUNE_SMTP_PASSWORD", "BLOSSOMTUNE_JOIN_TOKEN"},
	}
	if s.onFlower() {
		targets["ports"] = append(targets["ports"].([]int), s.superLinkPort())
		targets["pids"] = append(targets["pids"].([]int), s.superLinkPID(t))
	}
	text, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	hash := s.app("hostile")
	tried := func(name string) map[string]map[string]string {
		s.launchWith(hash, name, map[string]string{"targets": string(text)}, nil)
		s.becomes(name, "completed", 2*time.Minute)
		log, err := os.ReadFile(s.logFile(s.get(name)))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]map[string]string{}
		for line := range strings.Lines(string(log)) {
			who, ways, _ := strings.Cut(line, " ")
			if who == "SERVERAPP" || who == "CLIENTAPP" {
				if out[who] == nil {
					out[who] = map[string]string{}
				}
				told := out[who]
				if err := json.Unmarshal([]byte(ways), &told); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
			}
		}
		if len(out) != 2 {
			t.Fatalf("%s says\n%s", name, log)
		}
		return out
	}
	for who, told := range tried("inside") {
		if len(told) < 40 {
			t.Errorf("the %s tried only %d ways", who, len(told))
		}
		for way, how := range told {
			if how == "out" && !madeInside(way) {
				t.Errorf("the %s got out: %s", who, way)
			}
		}
	}
	_ = inside.node.Process.Signal(os.Interrupt)
	outside := s.approved("Outside").join("--contain=off")
	targets["pids"] = []int{s.cmd.Process.Pid, outside.node.Process.Pid}
	out := 0
	told := tried("outside")["CLIENTAPP"]
	for _, how := range told {
		if how == "out" {
			out++
		}
	}
	if out < len(told)/2 {
		t.Errorf("without a sandbox only %d of %d ways lead out: %v", out, len(told), told)
	}
}

// An app that takes all of the disk or all of the memory is ended with that cause, on the server and at a participant's. What runs
// beside it lives on.
func TestHostileAppsAreHeldToTheirLimits(t *testing.T) {
	t.Parallel()
	s := startWith(t, 10, freeAddr(t), "BLOSSOMTUNE_RUN_DISK_MB=200")
	s.admin.must("PATCH", "/federations/fed/run-policy", map[string]int{"parallel": 2}, nil)
	hash, works := s.app("hostile"), s.app("works")
	for attack, c := range map[string]struct {
		code    domain.CauseCode
		message string
	}{
		"server disk":   {"disk_limit", "The ServerApp's files took "},
		"server memory": {"memory_limit", "The ServerApp held "},
	} {
		name := strings.ReplaceAll(attack, " ", "-")
		beside := s.launch(works, map[string]string{"seconds": "15"})
		s.launchWith(hash, name, map[string]string{"attack": attack}, map[string]any{"memory_mb": 600})
		r := s.ends(name, time.Minute)
		if r.Cause == nil || r.Cause.Code != c.code || !strings.HasPrefix(r.Cause.Message, c.message) {
			t.Errorf("%s: %s, %+v", attack, r.State, r.Cause)
		}
		s.becomes(beside.Name, "completed", time.Minute)
	}
	s.approved("Limited").join("--app-disk", "200", "--app-memory", "600")
	for attack, word := range map[string]string{"client disk": "disk", "client memory": "memory"} {
		name := strings.ReplaceAll(attack, " ", "-")
		s.launchWith(hash, name, map[string]string{"attack": attack}, nil)
		text, _ := os.ReadFile(s.logFile(s.ends(name, time.Minute)))
		if !strings.Contains(string(text), "ERROR ") || !strings.Contains(string(text), "it used more "+word) && !strings.Contains(string(text), "took more "+word) {
			t.Errorf("%s: the participant replied\n%s", attack, text)
		}
	}
	s.launchWith(hash, "after", nil, nil)
	text, _ := os.ReadFile(s.logFile(s.becomes("after", "completed", time.Minute)))
	if !strings.Contains(string(text), "CLIENTAPP {") {
		t.Errorf("after that the participant does not answer:\n%s", text)
	}
}

// madeInside reports whether a file that an app made is not there: it was made in a folder of the same name inside of the sandbox.
func madeInside(way string) bool {
	folder, wrote := strings.CutPrefix(way, "write into ")
	if !wrote {
		return false
	}
	for _, name := range []string{"hostile", "hostile.pth"} {
		if os.Remove(filepath.Join(folder, name)) == nil {
			return false
		}
	}
	return true
}

// onFlower reports whether the federation uses Flower's SuperLink.
func (s *server) onFlower() bool {
	var settings struct{ Engine string }
	readJSON(s.t, filepath.Join(s.data, "federations", "1", "engine.json"), &settings)
	return settings.Engine == "flower"
}

// linkDatabase is the database of the federation's SuperLink.
func (s *server) linkDatabase() string {
	s.t.Helper()
	name := "link.db"
	if s.onFlower() {
		name = "superlink.db"
	}
	path := filepath.Join(s.data, "federations", "1", name)
	if _, err := os.Stat(path); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// superLinkPort is where the federation's SuperLink listens.
func (s *server) superLinkPort() int {
	s.t.Helper()
	var st struct{ Port int }
	text, err := os.ReadFile(filepath.Join(s.data, "federations", "1", "keeper.json"))
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	if err != nil || st.Port == 0 {
		s.t.Fatalf("keeper.json: %v, %s", err, text)
	}
	return st.Port
}

func portNumber(t *testing.T, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	n, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return n
}
