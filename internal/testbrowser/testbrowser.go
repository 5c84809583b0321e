// Package testbrowser lets tests look at pages in real browsers.
package testbrowser

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"blossomtune/internal/testflwr"
)

// Drive is a Chromium that a test tells what to do. Everybody whom the test names has a browser of their own in it.
type Drive struct {
	t   testing.TB
	in  io.Writer
	out *bufio.Reader
}

// New starts one that ends with the test. The test fails when Chromium or its driver is missing.
func New(t testing.TB) *Drive {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("chromium is missing: %v", err)
	}
	root := testflwr.Root(t)
	assets := filepath.Join(root, "internal", "web", "assets")
	if _, err := os.Stat(filepath.Join(assets, "node_modules", "playwright-core")); err != nil {
		t.Fatalf("the browser's driver is missing: run make assets (%v)", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(root, "internal", "testbrowser", "drive.mjs"), assets, chromium)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return &Drive{t: t, in: in, out: bufio.NewReader(out)}
}

// Do has somebody's browser do something (the commands are in drive.mjs) and returns what was read. The test fails when it cannot.
func (d *Drive) Do(who, what, at, value string) string {
	d.t.Helper()
	text, err := json.Marshal(map[string]string{"who": who, "do": what, "at": at, "value": value})
	if err == nil {
		_, err = d.in.Write(append(text, '\n'))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	line, err := d.out.ReadString('\n')
	var answer struct {
		OK    bool
		Value string
	}
	if err == nil {
		err = json.Unmarshal([]byte(line), &answer)
	}
	if err != nil || !answer.OK {
		d.t.Fatalf("%s %s %s: %v %s", who, what, at, err, answer.Value)
	}
	return answer.Value
}
