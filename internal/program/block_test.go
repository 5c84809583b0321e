//go:build unix

package program

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// The program of these tests: it prints what it was given.
const echo = "#!/bin/sh\necho \"args: $*\"\necho \"token: $BLOSSOMTUNE_JOIN_TOKEN\"\n"

// served is a server with a certificate that no machine trusts, and the block that downloads from it.
func served(t *testing.T, system, text string) Block {
	t.Helper()
	name := nameOf(system, "amd64")
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/download/"+name {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	return Block{Base: srv.URL, OwnCA: true, Token: "pin.id.secret", Args: "join " + srv.URL + " --approve ask", Programs: []Program{
		{OS: system, Arch: "amd64", Name: name, SHA256: sum(echo)}, {OS: system, Arch: "arm64", Name: "other", SHA256: sum("other")}}}
}

// machine is a home directory and a PATH on which uname names an architecture.
func machine(t *testing.T, arch string) (home string, env []string) {
	t.Helper()
	home = t.TempDir()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "uname"), []byte("#!/bin/sh\necho "+arch+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return home, []string{"HOME=" + home, "PATH=" + bin + ":" + os.Getenv("PATH")}
}

func pasted(t *testing.T, shell, text string, env []string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell)
	cmd.Stdin, cmd.Env, cmd.Dir = strings.NewReader(text+"\n"), env, t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// What is pasted downloads the program, checks it and runs join with the token in its environment alone.
func TestPastedBlockRunsTheProgram(t *testing.T) {
	for _, c := range []struct{ system, shell, arch string }{{"linux", "sh", "x86_64"}, {"linux", "bash", "x86_64"},
		{"darwin", "bash", "x86_64"}} {
		b := served(t, c.system, echo)
		home, env := machine(t, c.arch)
		out, err := pasted(t, c.shell, b.Text(c.system), env)
		if err != nil || !strings.Contains(out, "args: "+b.Args+"\n") || !strings.Contains(out, "token: pin.id.secret\n") {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
		if got, err := os.ReadFile(filepath.Join(home, ".blossomtune", "bin", "blossomtune")); err != nil || string(got) != echo {
			t.Errorf("%+v: the program: %v", c, err)
		}
	}
}

// A file with another SHA-256, and a machine without a program, run nothing.
func TestPastedBlockRunsNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ text, arch string }{
		"another file": {"#!/bin/sh\necho args: harm\n", "x86_64"}, "cut off": {echo[:20], "x86_64"}, "no program": {echo, "riscv64"},
		"not there": {echo, "aarch64"},
	} {
		home, env := machine(t, c.arch)
		b := served(t, "linux", c.text)
		out, err := pasted(t, "sh", b.Text("linux"), env)
		if err == nil || strings.Contains(out, "args:") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if _, err := os.Stat(filepath.Join(home, ".blossomtune", "bin", "blossomtune")); err == nil {
			t.Errorf("%s: the program is there", name)
		}
	}
}

// curl follows HTTPS_PROXY, and sees a server whose CA is unknown only with -k.
func TestPastedBlockGoesThroughTheProxy(t *testing.T) {
	var used atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer to.Close()
		used.Add(1)
		w.WriteHeader(http.StatusOK)
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer from.Close()
		go func() { _, _ = io.Copy(to, from) }()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(proxy.Close)
	b := served(t, "linux", echo)
	_, env := machine(t, "x86_64")
	env = append(env, "HTTPS_PROXY="+proxy.URL)
	out, err := pasted(t, "sh", b.Text("linux"), env)
	if err != nil || used.Load() == 0 || !strings.Contains(out, "args: join") {
		t.Errorf("through a proxy (used %d times): %v\n%s", used.Load(), err, out)
	}
	b.OwnCA = false
	if out, err := pasted(t, "sh", b.Text("linux"), env); err == nil || strings.Contains(out, "args:") {
		t.Errorf("an unknown CA passes for a public one: %v\n%s", err, out)
	}
}

func TestBlockForEachSystem(t *testing.T) {
	b := Block{Base: "https://fl.example.org", Token: "pin.id.secret", Args: "join https://fl.example.org", Programs: []Program{
		{OS: "windows", Arch: "amd64", Name: "blossomtune-windows-amd64.exe", SHA256: sum("a")},
		{OS: "windows", Arch: "arm64", Name: "blossomtune-windows-arm64.exe", SHA256: sum("b")}}}
	if text := b.Text("darwin"); text != "" {
		t.Errorf("a block without a program: %s", text)
	}
	text := b.Text("windows")
	for _, want := range []string{"'AMD64' { $f = 'blossomtune-windows-amd64.exe'; $h = '" + sum("a") + "' }", "curl.exe -f --retry",
		"$env:BLOSSOMTUNE_JOIN_TOKEN = 'pin.id.secret'", `& "$d\blossomtune.exe" join https://fl.example.org` + "\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the block for Windows lacks %q:\n%s", want, text)
		}
	}
	for agent, want := range map[string]string{"Mozilla/5.0 (Windows NT 10.0; Win64; x64)": "windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)": "darwin", "Mozilla/5.0 (X11; Linux x86_64)": "linux", "": "linux"} {
		if got := SystemOf(agent); got != want {
			t.Errorf("%q is %s", agent, got)
		}
	}
}
