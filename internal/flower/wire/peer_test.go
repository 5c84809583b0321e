package wire

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"blossomtune/internal/testflwr"
)

// ask puts a question of testdata/peer.py to the installed flwr.
func ask(t *testing.T, question string, in, out any) {
	t.Helper()
	env := testflwr.Venv(t)
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), env.Bin("python"), filepath.Join("testdata", "peer.py"), question)
	cmd.Env = append(env.Environ(t.TempDir()), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(body), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("asking flwr %s for %q: %v\n%s", env.FlwrVersion, question, err, stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("flwr's answer to %q: %v\n%.2000s", question, err, stdout.Bytes())
	}
}
