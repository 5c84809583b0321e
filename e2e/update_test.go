package e2e

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// Two versions of equal length: the second program is the first with its version replaced, so that only one has to be built.
const (
	firstVersion  = "7.0.1-before.the.update"
	secondVersion = "7.0.2-beyond.the.update"
)

// participantProgram builds the participant's program, as make dist does.
func participantProgram(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blossomtune")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "participant", "-ldflags", "-s -w -X main.version="+firstVersion, "-o",
		path, "./cmd/blossomtune")
	cmd.Dir = testflwr.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v: %s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// handOut fills a downloads folder with a program.
func handOut(t *testing.T, dir, version string, program []byte) {
	t.Helper()
	name, sum := "blossomtune-"+runtime.GOOS+"-"+runtime.GOARCH, sha256.Sum256(program)
	for _, f := range []struct{ name, text string }{{name, string(program)}, {"SHA256SUMS", hex.EncodeToString(sum[:]) + "  " + name + "\n"},
		{"VERSION", version + "\n"}} {
		tmp := filepath.Join(dir, ".new")
		if err := cmp.Or(os.WriteFile(tmp, []byte(f.text), 0o644), os.Rename(tmp, filepath.Join(dir, f.name))); err != nil {
			t.Fatal(err)
		}
	}
}

// onlyTools returns a PATH with a shell, the tools that every system has, curl and Python, and nothing else.
func onlyTools(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "uname", "mkdir", "chmod", "mv", "sha256sum", "curl", "python3"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var linuxBlock = regexp.MustCompile(`id="join-command-linux"[^>]* data-secret="([^"]*)"`)

// block returns what the status page shows to paste on Linux, with a new token.
func (p *person) block() string {
	p.s.t.Helper()
	res, err := p.c.HTTP.PostForm(p.s.url+"/me/fed/token", url.Values{})
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		p.s.t.Fatal(err)
	}
	found := linuxBlock.FindSubmatch(page)
	if found == nil {
		p.s.t.Fatalf("the status page (%s) has no block for Linux", res.Status)
	}
	return html.UnescapeString(string(found[1]))
}

// installed is a program on a participant's machine.
type installed struct {
	t    *testing.T
	path string
	env  []string
}

func (i installed) run(args ...string) string {
	cmd := exec.CommandContext(i.t.Context(), i.path, args...)
	cmd.Env = i.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		i.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

type agentNow struct {
	PID       int
	Connected bool
	Agent     string
}

func (i installed) status() (now agentNow) {
	cmd := exec.CommandContext(i.t.Context(), i.path, "status", "--json")
	cmd.Env = i.env
	out, _ := cmd.Output() // the exit code repeats what is read here
	var all []struct{ Agent agentNow }
	if json.Unmarshal(out, &all) == nil && len(all) == 1 {
		now = all[0].Agent
	}
	return now
}

// A machine with a shell, curl and Python goes from the status page's block to online. An update during a run does not disturb the run;
// after it, the same process runs the new program. The server has its own CA, and only the organisation's proxy can resolve its name.
func TestAnUpdateKeepsTheRun(t *testing.T) {
	t.Parallel()
	downloads, addr, program := t.TempDir(), freeAddr(t), participantProgram(t)
	handOut(t, downloads, firstVersion, program)
	_, port, _ := strings.Cut(addr, ":")
	s := startWith(t, 10, addr, "BLOSSOMTUNE_DOWNLOADS="+downloads, "BLOSSOMTUNE_PUBLIC_URL=https://fl.example.org:"+port)
	through, tunnels := proxyTo(t, "127.0.0.1:0", addr)
	p := s.approved("Fresh")
	folder := filepath.Join(p.home, ".blossomtune")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.data, "python"), filepath.Join(folder, "python")); err != nil { // what the first start would install
		t.Fatal(err)
	}
	p.env = []string{"HOME=" + p.home, "PATH=" + onlyTools(t), "HTTPS_PROXY=" + through}
	p.run("sh", "-c", strings.Replace(p.block(), `"$d/blossomtune" join`, `exec "$d/blossomtune" join`, 1)) // exec: the test ends the program
	p.online()
	here := installed{t: t, path: filepath.Join(folder, "bin", "blossomtune"), env: p.env}
	before := here.status()
	if before.Agent != firstVersion || !before.Connected {
		t.Fatalf("before the update: %+v", before)
	}
	if out := here.run("update"); !strings.Contains(out, "Nothing was changed") {
		t.Errorf("an update without a newer version: %s", out)
	}

	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "4", "pause": "7",
		"min-nodes": "1"}) // longer than an agent's pause between two questions
	await(t, time.Minute, "the run trains", func() (string, bool) { r = s.get(r.Name); return fmt.Sprint(r.Round), r.Round >= 1 })
	handOut(t, downloads, secondVersion, bytes.ReplaceAll(program, []byte(firstVersion), []byte(secondVersion)))
	if out := here.run("update"); !strings.Contains(out, "to "+secondVersion) || !strings.Contains(out, "continues") {
		t.Errorf("the update: %s", out)
	}
	await(t, 2*time.Minute, "the run completes", func() (string, bool) {
		now := here.status()
		if r = s.get(r.Name); r.State == "running" && now.Agent != firstVersion {
			t.Fatalf("the agent switched to %s during the run", now.Agent)
		}
		return r.State, r.State == "completed"
	})
	trained := 0
	for _, m := range s.metrics(r.Name) {
		if m.Phase == "train" && m.Name == "train_loss" && m.Node != "0" {
			trained++
		}
	}
	if trained != 4 {
		t.Errorf("the participant trained in %d of 4 rounds", trained)
	}
	await(t, time.Minute, "the agent runs the new program", func() (string, bool) {
		now := here.status()
		return now.Agent, now.Agent == secondVersion && now.Connected
	})
	if now := here.status(); now.PID != before.PID {
		t.Errorf("the agent is process %d now, not %d", now.PID, before.PID)
	}
	p.online()
	if tunnels.Load() < 3 {
		t.Errorf("%d connections went through the proxy", tunnels.Load())
	}
}
