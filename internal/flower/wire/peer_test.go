package wire

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/testflwr"
)

// flwr returns the pinned flwr, or the release that BLOSSOMTUNE_TEST_FLWR names, such as 1.43.0 (make flwr-diff).
func flwr(t *testing.T) python.Env {
	t.Helper()
	if version := os.Getenv("BLOSSOMTUNE_TEST_FLWR"); version != "" {
		return testflwr.Release(t, version)
	}
	return testflwr.Venv(t)
}

// asked are the answers to questions that have no input: flwr says the same each time, and takes a while to start.
var asked sync.Map

// ask puts a question of testdata/peer.py to the installed flwr.
func ask(t *testing.T, question string, in, out any) {
	t.Helper()
	answer, ok := asked.Load(question)
	if !ok || in != nil {
		answer = put(t, question, in)
	}
	if in == nil {
		asked.Store(question, answer)
	}
	if err := json.Unmarshal(answer.([]byte), out); err != nil {
		t.Fatalf("flwr's answer to %q: %v\n%.2000s", question, err, answer)
	}
}

func put(t *testing.T, question string, in any) []byte {
	t.Helper()
	env := flwr(t)
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
	return stdout.Bytes()
}
