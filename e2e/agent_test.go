package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/apps"
	"blossomtune/internal/agent"
)

// output is what a program says, for a test that reads along.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write keeps what is said.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// joinAt runs the agent in this process, with a clock that is off, and waits until its SuperNode is online.
func (p *person) joinAt(off time.Duration) *output {
	p.s.t.Helper()
	var cmd struct{ Token string }
	p.c.must("POST", "/me/requests/"+p.ref+"/token", nil, &cmd)
	ctx, stop := context.WithCancel(context.Background())
	out, ended := new(output), make(chan error, 1)
	go func() {
		ended <- agent.Join(ctx, agent.Options{URL: p.s.url, Token: cmd.Token, Dir: filepath.Join(p.home, "agent"), PythonDir: filepath.Join(p.s.data, "python"), Deps: agent.DepsNever, Requirements: apps.Requirements,
			Clock: func() time.Time { return time.Now().Add(off) }, Version: "test", Out: out})
	}()
	t := p.s.t
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s\nand its SuperNode:\n%s", p.name, out, tail(filepath.Join(p.home, "agent", "supernode.log")))
		}
	})
	p.online()
	return out
}

// The agent stands between SuperNode and server: clocks that are off by ten minutes, a ClientApp that fails on one machine alone,
// and a CA that is replaced are its business, and nobody else's.
func TestTheAgentStandsBetween(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	slow, fast := s.approved("Slow"), s.approved("Fast")
	said := slow.joinAt(-10 * time.Minute)
	fast.joinAt(10 * time.Minute)
	if !strings.Contains(said.String(), "clock is ") || !strings.Contains(said.String(), "behind the server's") {
		t.Errorf("the agent does not tell of the clock:\n%s", said)
	}
	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "2", "pause": "0"})
	s.becomes(r.Name, "completed", 2*time.Minute)

	r = s.launch(s.app("one_fails"), map[string]string{"num-server-rounds": "2", "pause": "0"})
	s.ends(r.Name, 2*time.Minute)
	var failed struct {
		Failures []struct {
			NodeID          string `json:"node_id"`
			Message, Remedy string
		} `json:"clientapp_failures"`
	}
	await(t, 10*time.Second, "the failure is told", func() (string, bool) {
		s.admin.must("GET", "/runs/"+r.Name, nil, &failed)
		return fmt.Sprintf("%+v", failed.Failures), len(failed.Failures) > 0 && strings.HasPrefix(failed.Failures[0].Message, "cannot") // the wire tells less, and sooner
	})
	if f := failed.Failures[0]; len(failed.Failures) != 1 || f.NodeID != s.node(1).NodeID || f.Message != "cannot import not_installed_here." || !strings.Contains(f.Remedy, "not_installed_here") {
		t.Errorf("%+v", failed.Failures)
	}

	certificates := func() int {
		pem, err := os.ReadFile(slow.fetchCA())
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(pem, []byte("BEGIN CERTIFICATE"))
	}
	before := command(t, s.data, "cat", filepath.Join(s.data, "tls", "ca.pem"))
	command(t, s.data, bin(t), "ca", "rotate", "--data", s.data)
	await(t, 30*time.Second, "the new CA is told", func() (string, bool) { n := certificates(); return itoa(n), n == 2 })
	await(t, 40*time.Second, "the agent trusts it", func() (string, bool) {
		return said.String(), strings.Contains(said.String(), "announced its new CA")
	})
	command(t, s.data, bin(t), "ca", "rotate", "--data", s.data, "--now")
	await(t, 30*time.Second, "the new CA is in use", func() (string, bool) { n := certificates(); return itoa(n), n == 1 })
	if after := command(t, s.data, "cat", filepath.Join(s.data, "tls", "ca.pem")); after == before {
		t.Fatal("the CA is the old one")
	}
	r = s.launch(s.app("steady"), map[string]string{"num-server-rounds": "2", "pause": "0"})
	s.becomes(r.Name, "completed", 2*time.Minute)
}

var terminalCode = regexp.MustCompile(`/device\?code=([0-9A-Z-]{14})`)

// A machine without a token: it is checked, shows a code, is approved in the browser, connects, and leaves nothing behind.
func TestJoinByACodeAndLeave(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	p := s.approved("Terminal")
	check := command(t, p.home, bin(t), "join", s.url, "--preflight")
	for _, line := range []string{"ok    name", "ok    connection", "ok    certificate", "ok    clock", "ok    version", "ok    python"} {
		if !strings.Contains(check, line) {
			t.Errorf("the check lacks %q:\n%s", line, check)
		}
	}
	home := filepath.Join(p.home, "agent")
	p.run(bin(t), "join", s.url, "--dir", home, "--python-dir", filepath.Join(s.data, "python"), "--deps", "never")
	code := ""
	await(t, 20*time.Second, "the terminal shows a code", func() (string, bool) {
		out := tail(filepath.Join(p.home, "node.log"))
		if m := terminalCode.FindStringSubmatch(out); m != nil {
			code = m[1]
		}
		return out, code != ""
	})
	for _, form := range []url.Values{{"code": {code[:12] + "22"}, "request": {"1"}}, {"code": {code}, "request": {"1"}}} {
		res, err := p.c.HTTP.PostForm(s.url+"/device", form)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if wrong := form.Get("code") != code; wrong != (res.StatusCode != http.StatusOK) {
			t.Errorf("code %q: %s", form.Get("code"), res.Status)
		}
	}
	p.online()
	p.interrupted()
	old := p.key()
	p.run(bin(t), "join", s.url, "--dir", home, "--python-dir", filepath.Join(s.data, "python"), "--deps", "never", "--new-key")
	p.online()
	key := p.key()
	if key.Equal(old) || s.node(p.partition).Partition != p.partition {
		t.Errorf("the key is the old one, or partition %d is not kept", p.partition)
	}
	if status := s.fleet(t, old, "/v1/fleet/pull-messages", nil); status != http.StatusUnauthorized {
		t.Errorf("the key that was replaced gets %d", status)
	}
	p.interrupted()
	said := command(t, p.home, bin(t), "leave", s.url, "--dir", home)
	if _, err := os.Stat(home); !os.IsNotExist(err) || !strings.Contains(said, "refuses this machine's key") {
		t.Errorf("leave left something: %v\n%s", err, said)
	}
	if status := s.fleet(t, key, "/v1/fleet/pull-messages", nil); status != http.StatusUnauthorized {
		t.Errorf("the key that left gets %d", status)
	}
}

// interrupted is a Ctrl-C at the participant's: the agent ends without an error.
func (p *person) interrupted() {
	p.s.t.Helper()
	if err := p.node.Process.Signal(os.Interrupt); err != nil {
		p.s.t.Fatal(err)
	}
	if err := p.node.Wait(); err != nil {
		p.s.t.Errorf("join ends with %v after Ctrl-C", err)
	}
	await(p.s.t, time.Minute, p.name+" is offline", func() (string, bool) {
		n := p.s.node(p.partition)
		return n.State, n.State != "online"
	})
}

// A ClientApp that is cut off after its reply leaves nothing behind that the run's next message would be taken for failed by: a
// SuperNode hears nothing of it for a minute, and then answers for all messages of the run.
func TestAClientAppThatIsCutOffAtItsEnd(t *testing.T) {
	t.Parallel()
	s := start(t, 1)
	s.approved("One").join()
	r := s.becomes(s.launch(s.app("cut_off"), nil).Name, "completed", 3*time.Minute)
	for _, m := range s.metrics(r.Name) {
		if m.Name == "patience" && m.Node != "0" {
			return
		}
	}
	t.Errorf("the reply that took a minute did not come: %+v\n%s", s.metrics(r.Name), tail(s.logFile(r)))
}

// An app's processes may take their time to end: a run that did all its rounds is completed, and not without a heartbeat a minute later.
func TestAnAppMayEndSlowly(t *testing.T) {
	t.Parallel()
	s := start(t, 1)
	p := s.approved("One").join()
	r := s.becomes(s.launch(s.app("slow_end"), nil).Name, "completed", 2*time.Minute)
	logs, _ := filepath.Glob(filepath.Join(p.home, "agent", "runs", "*.log"))
	if len(logs) != 1 || !strings.Contains(tail(logs[0]), "CLIENTAPP WAS LET END") {
		t.Errorf("the ClientApp of %s: %v", r.Name, logs)
	}
}
