package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A second server on the same data directory does not start, and says which process to stop.
func TestASecondServerOnTheSameDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, 2)
	out, err := exec.Command(bin(t), "serve", "--data", s.data, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil {
		t.Fatal("the second server ended without an error")
	}
	for _, words := range []string{fmt.Sprintf("process %d", s.cmd.Process.Pid), s.data, "--data"} {
		if !strings.Contains(string(out), words) {
			t.Errorf("%q is missing in:\n%s", words, out)
		}
	}
	if strings.Contains(string(out), "/setup/") {
		t.Error("it printed a setup link")
	}
	s.kill() // the keeper runs on; it must not hold the directory
	s.serve()
}

// A server on a copy of the data directory neither takes over nor stops the keepers of the original.
func TestACopiedDirectoryLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	s := start(t, 2)
	pid := s.keeperPID()
	s.kill()
	copied := &server{t: t, data: filepath.Join(t.TempDir(), "copy"), addr: freeAddr(t), env: s.env, prog: s.prog}
	if out, err := exec.Command("cp", "-a", s.data, copied.data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { noProcesses(t, copied.data) })
	_, port, _ := net.SplitHostPort(copied.addr)
	copied.url = "http://localhost:" + port
	copied.serve()
	copied.admin = newClient(copied, s.admin.Token)
	copied.awaitUp()
	if other := copied.keeperPID(); other == pid {
		t.Errorf("the copy took over the keeper %d", pid)
	}
	copied.stopAll()
	s.serve()
	s.awaitUp()
	if now := s.keeperPID(); now != pid {
		t.Errorf("the original's keeper was process %d, now it is %d", pid, now)
	}
}
