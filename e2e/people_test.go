package e2e

import (
	"context"
	"crypto/ecdsa"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"blossomtune/internal/flower/python"
)

// person is a participant on their way in.
type person struct {
	s         *server
	c         *apiClient
	name      string
	ref       string
	partition int
	home      string
	node      *exec.Cmd
	env       []string // of this machine, beside the usual
}

// approved brings somebody from asking to an approved request, with the code from the outbox.
func (s *server) approved(name string) *person {
	s.t.Helper()
	p := &person{s: s, c: newClient(s, ""), name: name, home: filepath.Join(s.data, "people", name)}
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		s.t.Fatal(err)
	}
	email := strings.ToLower(name) + "@example.org"
	var asked struct{ Ref string }
	p.c.must("POST", "/federations/fed/requests", map[string]string{"email": email, "name": name}, &asked)
	p.ref = asked.Ref
	var r struct{ State string }
	p.c.must("POST", "/requests/"+p.ref+"/verify", map[string]string{"code": s.mailedCode(email)}, &r)
	if r.State != "pending" {
		s.t.Fatalf("after the code the request is %s", r.State)
	}
	var done []struct{ Partition int }
	s.admin.must("POST", "/federations/fed/requests/approve", map[string]any{"refs": []string{p.ref}}, &done)
	p.partition = done[0].Partition
	return p
}

func (s *server) mailedCode(to string) string {
	s.t.Helper()
	for by := time.Now().Add(10 * time.Second); time.Now().Before(by); { // it is written after the answer
		var mails []struct{ To, Subject string }
		s.admin.must("GET", "/mails", nil, &mails)
		for _, m := range mails {
			if code, _, ok := strings.Cut(m.Subject, " is your code"); ok && m.To == to {
				return code
			}
		}
	}
	s.t.Fatalf("no code for %s in the outbox", to)
	return ""
}

// run starts a process of the participant's, which ends with the test.
func (p *person) run(name string, args ...string) {
	p.s.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.home, "node.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer log.Close()
	p.node = exec.CommandContext(context.Background(), name, args...)
	p.node.Dir, p.node.Stdout, p.node.Stderr = p.home, log, log
	p.node.Env = append(os.Environ(), "FLWR_HOME="+filepath.Join(p.home, "plain_flwr_home"), "FLWR_TELEMETRY_ENABLED=0", "FLWR_DISABLE_UPDATE_CHECK=1",
		"PATH="+filepath.Join(p.s.env.Dir, "bin")+":"+os.Getenv("PATH"))
	p.node.Env = append(p.node.Env, p.env...)
	p.node.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.node.Start(); err != nil {
		p.s.t.Fatal(err)
	}
	t, cmd := p.s.t, p.node
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
			timer := time.AfterFunc(20*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
			_ = cmd.Wait()
			timer.Stop()
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the plain command leaves behind
		}
		if t.Failed() {
			t.Logf("%s:\n%s\nand its SuperNode:\n%s", p.name, tail(filepath.Join(p.home, "node.log")), tail(filepath.Join(p.home, "agent", "supernode.log")))
		}
	})
}

// join connects with `blossomtune join`, and waits until the SuperNode is online.
func (p *person) join(flags ...string) *person {
	p.s.t.Helper()
	var cmd struct{ Token, Command string }
	p.c.must("POST", "/me/requests/"+p.ref+"/token", nil, &cmd)
	if want := "echo " + cmd.Token + " | blossomtune join " + p.s.url + " --token -"; cmd.Command != want {
		p.s.t.Fatalf("the command is %q, want %q", cmd.Command, want)
	}
	p.run(bin(p.s.t), append([]string{"join", p.s.url, "--token", cmd.Token, "--dir", filepath.Join(p.home, "agent"), "--python-dir", filepath.Join(p.s.data, "python"), "--deps", "never"}, flags...)...)
	p.online()
	return p
}

// plain connects as the status page tells those who want plain Flower: a key of their own, uploaded with proof, and flower-supernode.
func (p *person) plain() *person {
	p.s.t.Helper()
	p.plainOf(p.s.env)
	p.online()
	return p
}

// plainOf is plain with a Flower of the participant's own choice, and waits for nothing.
func (p *person) plainOf(env python.Env) {
	p.s.t.Helper()
	p.upload("key")
	ca := p.fetchCA()
	_, port, _ := strings.Cut(p.s.addr, ":")
	p.env = append(p.env, "PATH="+filepath.Dir(env.Bin("python"))+":"+os.Getenv("PATH"))
	p.run(env.Bin("flower-supernode"), "--superlink", "localhost:"+port, "--root-certificates", ca, "--auth-supernode-private-key", filepath.Join(p.home, "key"),
		"--node-config", "partition-id="+itoa(p.partition)+" num-partitions=10", "--port", portOf(freeAddr(p.s.t)))
}

func (p *person) fetchCA() string {
	p.s.t.Helper()
	res, err := p.c.HTTP.Get(p.s.url + "/ca.pem")
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer res.Body.Close()
	path := filepath.Join(p.home, "ca.pem")
	f, err := os.Create(path)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadFrom(res.Body); err != nil {
		p.s.t.Fatal(err)
	}
	return path
}

// upload makes a key with ssh-keygen and enrols it.
func (p *person) upload(name string) {
	p.s.t.Helper()
	t := p.s.t
	command(t, p.home, "ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-C", "", "-f", name)
	public := command(t, p.home, "ssh-keygen", "-e", "-m", "pkcs8", "-f", name)
	var ch struct{ Challenge string }
	p.c.must("POST", "/me/requests/"+p.ref+"/challenge", nil, &ch)
	if err := os.WriteFile(filepath.Join(p.home, "challenge"), []byte(ch.Challenge+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(p.home, "challenge.sig"))
	command(t, p.home, "ssh-keygen", "-q", "-Y", "sign", "-f", name, "-n", "blossomtune", "challenge")
	sig, err := os.ReadFile(filepath.Join(p.home, "challenge.sig"))
	if err != nil {
		t.Fatal(err)
	}
	p.c.must("POST", "/me/requests/"+p.ref+"/key", map[string]string{"public_key": public, "challenge": ch.Challenge, "signature": string(sig)}, nil)
}

// key reads the private key that the participant's machine uses.
func (p *person) key() *ecdsa.PrivateKey {
	p.s.t.Helper()
	found, _ := filepath.Glob(filepath.Join(p.home, "agent", "key_*"))
	if len(found) == 0 {
		found = []string{filepath.Join(p.home, "key")}
	}
	return readKey(p.s.t, found[0])
}

func readKey(t testing.TB, path string) *ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*ecdsa.PrivateKey)
}

func command(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

type nodeView struct {
	Partition int
	State     string
	NodeID    string `json:"node_id"`
	Flwr      string
}

func (s *server) node(partition int) nodeView {
	s.t.Helper()
	var nodes []nodeView
	if err := s.admin.try("GET", "/federations/fed/nodes", nil, &nodes); err != nil {
		return nodeView{State: err.Error()}
	}
	for _, n := range nodes {
		if n.Partition == partition && n.State != "revoked" {
			return n
		}
	}
	return nodeView{State: "no key"}
}

func (p *person) online() {
	p.s.t.Helper()
	await(p.s.t, time.Minute, p.name+" is online", func() (string, bool) {
		n := p.s.node(p.partition)
		return n.State, n.State == "online"
	})
}
