package e2e

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// doctor reports no failure for a working server and machine, and names the part that was stopped.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	p := s.approved("One").join()
	await(t, time.Minute, "the agent says that it is connected", func() (string, bool) {
		_, said := s.doctor(p)
		return said["agent"].Says, said["agent"].State == "ok"
	})
	if code, said := s.doctor(p); code != 3 || said["server"].State != "ok" || said["database"].State != "ok" || said["agent"].State != "ok" ||
		said["connection"].State != "ok" || said["clock"].State != "ok" || said["ledger"].State != "ok" ||
		said["containment"].State != "ok" || said["mail"].State != "warning" {
		t.Errorf("a system that works: exit code %d, %+v", code, said)
	}
	if err := syscall.Kill(p.node.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.node.Wait()
	if code, said := s.doctor(p); code != 4 || said["agent"].State != "failure" || !strings.Contains(said["agent"].Says, "not running") {
		t.Errorf("after the agent was killed: exit code %d, %+v", code, said["agent"])
	}
	if _, err := s.terminated(time.Minute); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if code, said := s.doctor(p); code != 4 || said["server"].State != "warning" || said["connection"].State != "failure" {
		t.Errorf("after the server was stopped: exit code %d, %+v", code, said)
	}
	s.serve()
}

type finding struct{ Part, State, Says, Remedy string }

// doctor runs the command on the server's machine, which is the participant's too. It returns the exit code and the last finding of each
// part.
func (s *server) doctor(p *person) (int, map[string]finding) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), bin(s.t), "doctor", "--data", s.data, "--listen", s.addr, "--public-url", s.url, "--dir",
		filepath.Join(p.home, "agent"), "--json")
	out, err := cmd.Output()
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	}
	var places []struct{ Findings []finding }
	if err := json.Unmarshal(out, &places); err != nil {
		s.t.Fatalf("doctor: %v: %s", err, out)
	}
	said := map[string]finding{}
	for _, place := range places {
		for _, f := range place.Findings {
			said[f.Part] = f
			if f.State != "ok" && f.Remedy == "" {
				s.t.Errorf("%+v has no remedy", f)
			}
		}
	}
	return code, said
}
