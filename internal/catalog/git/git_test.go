package git

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v %s", args, err, out)
	}
}

// A repository is fetched no further than its limit, and a server that says nothing is not waited for.
func TestAFetchEnds(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "init", "-q")
	noise := make([]byte, 30<<20)
	for i := range noise {
		noise[i] = byte(i*i>>7) ^ byte(i*2654435761>>13)
	}
	if err := os.WriteFile(filepath.Join(dir, "noise"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "add", "-A")
	run(t, dir, "-c", "core.compression=0", "commit", "-qm", "c")
	_, err := Fetch(t.Context(), Source{Repository: dir}, Limits{Wait: time.Minute, Repo: 1 << 20, Files: 10, Bytes: 100 << 20, Inside: true}, t.TempDir())
	var e *domain.Error
	if !errors.As(err, &e) || e.Code != domain.TooLarge || e.Field != "repository" {
		t.Errorf("30 MB where 1 is allowed: %v", err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	_, err = Fetch(t.Context(), Source{Repository: "https://" + silent.Addr().String() + "/r"}, Limits{Wait: 500 * time.Millisecond, Repo: 1 << 20, Files: 10, Bytes: 1 << 20, Inside: true}, t.TempDir())
	if !errors.As(err, &e) || !strings.Contains(e.Message, "did not answer within 500ms") || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	left, err := exec.Command("pgrep", "-f", silent.Addr().String()).Output()
	if err == nil {
		t.Errorf("processes are left: %s", left)
	}
}

func TestWhatIsInsideIsNotReachedFromOutside(t *testing.T) {
	for _, address := range []string{"https://127.0.0.1/r", "https://localhost/r", "https://[::1]/r", "https://10.1.2.3/r", "https://192.168.0.1/r", "https://169.254.169.254/r", "https://100.64.0.1/r", "https://0.0.0.0/r",
		"https://[::ffff:127.0.0.1]/r", "https://[fd00::1]/r", "https://[fe80::1]/r", "https://2130706433/r", "https://0x7f000001/r", "https://127.1/r", "/srv/r", "file:///srv/r"} {
		_, err := Fetch(t.Context(), Source{Repository: address}, Limits{Wait: 5 * time.Second, Repo: 1, Files: 1, Bytes: 1}, t.TempDir())
		if domain.CodeOf(err) != domain.Invalid || strings.Contains(err.Error(), "exit status") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
