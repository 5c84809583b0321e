package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runProgram runs the program and returns its status and what it said.
func runProgram(t *testing.T, env []string, args ...string) (status int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin(t), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// A server does not start with a file that cannot be used, and says all that is wrong with it; `config` shows one that can.
func TestTheConfigurationFileIsChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fl.toml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("data = \"data\"\nsmtp-port = \"x\"\n[site.colour]\nlight = \"#FFAACC\"\n")
	status, said := runProgram(t, []string{"BLOSSOMTUNE_CONFIG=" + path}, "serve")
	if status == 0 || !strings.Contains(said, "fl.toml, line 2, smtp-port: This is no whole number.") || !strings.Contains(said, "fl.toml, line 4, site.colour.light: ") || strings.Count(said, "→") != 2 {
		t.Errorf("%d %s", status, said)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("something was begun before the file was checked")
	}
	write("data = \"data\"\nlisten = \"127.0.0.1:4711\"\nsmtp-password = \"hunter2\"\npublic-url = \"https://fl.example.org\"\n[site]\nname = \"Cardio Net\"\n")
	status, said = runProgram(t, []string{"BLOSSOMTUNE_LISTEN=127.0.0.1:4712"}, "config", "--config", path)
	for _, want := range []string{"BLOSSOMTUNE_DATA=" + filepath.Join(dir, "data"), "BLOSSOMTUNE_LISTEN=127.0.0.1:4712", "(fl.toml, line 1)", "# site.name (fl.toml, line 6)\n#   Cardio Net", "BLOSSOMTUNE_SMTP_PASSWORD=********"} {
		if !strings.Contains(said, want) {
			t.Errorf("%d, %q is not in\n%s", status, want, said)
		}
	}
	if strings.Contains(said, "hunter2") || strings.Contains(said, "(fl.toml, line 2)") {
		t.Errorf("a secret, or a value that is not in force: %s", said)
	}
	// The commands of the host find the server's data by the same file.
	status, said = runProgram(t, nil, "link", "--config", path)
	if status != 0 || !strings.HasPrefix(said, "https://fl.example.org/signin/") {
		t.Errorf("%d %s", status, said)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "blossomtune.db")); err != nil {
		t.Error(err)
	}
}
