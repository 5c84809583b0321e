package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stuck is what the API says about a SuperNode that is stuck; empty for a good one.
func (s *server) stuck(partition int) string {
	s.t.Helper()
	var nodes []struct {
		Partition int
		State     string
		Stuck     *struct{ Cause, Remedy string }
	}
	if err := s.admin.try("GET", "/federations/fed/nodes", nil, &nodes); err != nil {
		return err.Error()
	}
	for _, n := range nodes {
		if n.Partition == partition && n.Stuck != nil {
			return n.Stuck.Cause + " " + n.Stuck.Remedy
		}
	}
	return ""
}

// A plain flower-supernode whose ClientApp never replies takes no other message. Nothing heals it from here, so the pages say
// so, and what to do; after that it works again.
func TestAStuckSuperNodeIsShownUntilItIsRestarted(t *testing.T) {
	t.Parallel()
	onBothEngines(t, 10, aStuckSuperNodeIsShownUntilItIsRestarted)
}

func aStuckSuperNodeIsShownUntilItIsRestarted(t *testing.T, s *server) {
	p := s.approved("Plain").plain()
	cookie := s.signIn()
	r := s.launch(s.app("hangs"), nil)
	s.ends(r.Name, 3*time.Minute)
	const remedy = "Restart flower-supernode on the participant's machine."
	await(t, 3*time.Minute, "the SuperNode is stuck", func() (string, bool) {
		said := s.stuck(p.partition)
		return said, strings.Contains(said, "still waits for the reply") && strings.HasSuffix(said, remedy)
	})
	shown := func(cookie, path string) bool {
		status, text := s.page(cookie, path)
		if status != 200 {
			t.Fatalf("%s: %d", path, status)
		}
		return strings.Contains(strings.ReplaceAll(text, "&#39;", "'"), remedy)
	}
	for _, page := range []struct{ cookie, path string }{{cookie, "/f/fed/nodes"}, {cookie, "/f/fed/launch"}, {p.c.cookie(), "/me/fed"}} {
		if !shown(page.cookie, page.path) {
			t.Errorf("%s does not say what to do", page.path)
		}
	}
	steady := map[string]string{"num-server-rounds": "1", "pause": "0", "min-nodes": "1"}
	waiting := s.launch(s.app("steady"), steady)
	s.waitsFor(waiting.Name, "waits for partition "+itoa(p.partition)+", stuck", time.Minute)

	p.restarted()
	await(t, time.Minute, "the SuperNode is good again", func() (string, bool) { said := s.stuck(p.partition); return said, said == "" })
	s.becomes(waiting.Name, "completed", 2*time.Minute)
	if shown(cookie, "/f/fed/nodes") || shown(p.c.cookie(), "/me/fed") {
		t.Error("the remedy is still shown")
	}
}

// restarted ends the plain SuperNode as its owner does, and starts the same command again.
func (p *person) restarted() {
	p.s.t.Helper()
	old := p.node
	_ = syscall.Kill(-old.Process.Pid, syscall.SIGINT)
	timer := time.AfterFunc(20*time.Second, func() { _ = syscall.Kill(-old.Process.Pid, syscall.SIGKILL) })
	_ = old.Wait()
	timer.Stop()
	_ = syscall.Kill(-old.Process.Pid, syscall.SIGKILL)
	_, port, _ := strings.Cut(p.s.addr, ":")
	p.run(p.s.env.Bin("flower-supernode"), "--superlink", "localhost:"+port, "--root-certificates", filepath.Join(p.home, "ca.pem"),
		"--auth-supernode-private-key", filepath.Join(p.home, "key"), "--node-config", "partition-id="+itoa(p.partition)+" num-partitions=10", "--port", portOf(freeAddr(p.s.t)))
}
