//go:build !participant

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/appcheck"
	"blossomtune/internal/client"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
	"blossomtune/internal/server"
	"blossomtune/internal/store"
	"blossomtune/internal/testflwr"

	"github.com/alecthomas/kong"
)

// host is a real server in this process, and a command line that calls it.
type host struct {
	t      *testing.T
	srv    *server.Server
	data   string
	token  string          // of the caller
	called map[string]bool // commands that succeeded
	ahead  atomic.Int64    // how far the server's clock is ahead
}

func (h *host) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// until waits for something to become so.
func (h *host) until(what string, so func() bool) {
	h.t.Helper()
	ctx, stop := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			h.t.Fatal("it does not come to this: " + what)
		case <-tick.C:
		}
	}
}

func newHost(t *testing.T) *host {
	t.Helper()
	env := testflwr.Venv(t)
	h := &host{t: t, data: t.TempDir(), called: map[string]bool{}}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	if err := os.Symlink(filepath.Dir(env.Dir), filepath.Join(h.data, "python")); err != nil {
		t.Fatal(err)
	}
	c := config.Config{Data: h.data, Listen: "127.0.0.1:0", Mail: config.Mail{Host: "127.0.0.1", Port: 1, From: "fed@example.org",
		TLS: "none"}, Backup: config.Backup{Clear: true, KeepDaily: 7}} // mails stay queued
	err := c.Resolve()
	if err == nil {
		h.srv, err = server.New(t.Context(), server.Options{Config: c, Version: "test", Clock: h.now, Log: slog.New(slog.DiscardHandler),
			Keeper:    func(int64) keeper.Spec { return keeper.Spec{Args: []string{"-test.run=^$"}} },
			Contained: func() domain.Containment { return domain.ContainedByFloor }})
	}
	if err == nil {
		err = h.srv.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.srv.Stop(context.WithoutCancel(t.Context()), true); err != nil {
			t.Error(err)
		}
	})
	if h.token, err = h.srv.AdminToken(t.Context(), "test", time.Hour); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BLOSSOMTUNE_SERVER", "http://"+h.srv.Addr().String())
	return h
}

// try runs a command in this process and returns what it printed.
func (h *host) try(stdin string, args ...string) (out string, code int, err error) {
	h.t.Helper()
	h.t.Setenv("BLOSSOMTUNE_TOKEN", h.token)
	var c cli
	var stdout bytes.Buffer
	ctx, stop := context.WithTimeout(h.t.Context(), time.Minute)
	defer stop()
	k, err := newParser(ctx, &c, strings.NewReader(stdin), &stdout, io.Discard).Parse(args)
	if err != nil {
		return "", 80, err
	}
	if err = k.Run(); err != nil {
		return stdout.String(), exitCodeOf(k, err), err
	}
	h.called[k.Selected().FullPath()] = true
	return stdout.String(), 0, nil
}

// do runs a command that must succeed.
func (h *host) do(args ...string) string { h.t.Helper(); return h.with("", args...) }

// with is do with standard input.
func (h *host) with(stdin string, args ...string) string {
	h.t.Helper()
	out, _, err := h.try(stdin, args...)
	if err != nil {
		h.t.Fatalf("blossomtune %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// read runs a command with JSON as its output.
func read[T any](h *host, args ...string) (v T) {
	h.t.Helper()
	out := h.do(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		h.t.Fatalf("blossomtune %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return v
}

// fails runs a command that must fail with an exit code.
func (h *host) fails(code int, args ...string) {
	h.t.Helper()
	if _, got, err := h.try("", args...); got != code {
		h.t.Errorf("blossomtune %s: exit code %d (%v), want %d", strings.Join(args, " "), got, err, code)
	}
}

func expect(t *testing.T, what string, ok bool, seen any) {
	t.Helper()
	if !ok {
		t.Errorf("%s; got %+v", what, seen)
	}
}

// as calls as a person until the test ends or another person calls.
func (h *host) as(personID int64) {
	h.t.Helper()
	token, _, err := h.srv.Accounts.CreateToken(h.t.Context(), domain.System, personID, "test", domain.ScopeAll, time.Hour)
	if err != nil {
		h.t.Fatal(err)
	}
	h.token = token
}

// model is the command line as kong knows it.
func model(t *testing.T) *kong.Kong {
	t.Helper()
	var c cli
	return newParser(t.Context(), &c, nil, io.Discard, io.Discard)
}

// commandsOf are all commands without subcommands.
func commandsOf(t *testing.T) []*kong.Node { return model(t).Model.Leaves(false) }

// Every operation that the server describes has a command that names it, and no command names one that is not there.
func TestEveryOperationHasACommand(t *testing.T) {
	h := newHost(t)
	res, err := http.Get("http://" + h.srv.Addr().String() + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var spec struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.NewDecoder(res.Body).Decode(&spec); err != nil {
		t.Fatal(err)
	}
	commands := map[string]string{}
	for _, n := range commandsOf(t) {
		for _, op := range strings.Split(n.Tag.Get("op"), ",") {
			if op != "" {
				commands[op] = n.FullPath()
			}
		}
	}
	if len(spec.Paths) < 20 || len(commands) < 50 {
		t.Fatalf("%d paths, %d operations with commands", len(spec.Paths), len(commands))
	}
	described := map[string]bool{}
	for path, methods := range spec.Paths {
		for method, op := range methods {
			described[op.OperationID] = true
			if commands[op.OperationID] == "" {
				t.Errorf("the operation %s (%s %s) has no command: name it in the op tag of one (CONTRIBUTING.md says how)", op.OperationID, method,
					path)
			}
		}
	}
	for op, command := range commands {
		if !described[op] {
			t.Errorf("%s names the operation %s, which the API does not have", command, op)
		}
	}
}

// Each command that calls the API does what it says, against a real server. A command that this test does not call fails it.
func TestCommandsDoWhatTheySay(t *testing.T) {
	h := newHost(t)
	h.with(h.token, "login", os.Getenv("BLOSSOMTUNE_SERVER"))
	h.federations()
	ref := h.requests()
	h.nodes(ref)
	h.people()
	h.house()
	hash := h.apps()
	h.runs(hash)
	h.shares()
	h.notifications()
	h.noticeRules()
	h.webhooks()
	h.deletedRuns()
	h.erased()
	for _, n := range commandsOf(t) {
		if n.Tag.Get("op") != "" && n.Target.CanAddr() && !h.called[n.FullPath()] {
			if _, calls := n.Target.Addr().Interface().(interface{ apiCommand() }); calls {
				t.Errorf("%s is not called by this test", n.FullPath())
			}
		}
	}
}

func (h *host) federations() {
	t := h.t
	f := read[client.Federation](h, "federation", "create", "fed", "--name", "Fed", "--partitions", "5")
	expect(t, "it is created", f.Slug == "fed" && f.Partitions == 5, f)
	h.fails(exitConflict, "federation", "create", "fed", "--partitions", "5")
	expect(t, "the table has it", strings.Contains(h.do("federation", "list"), "fed         Fed   5"), h.do("federation", "list"))
	h.do("federation", "resize", "fed", "7")
	h.do("federation", "configure", "fed", "--question", "Why?", "--answer-needed")
	f = read[client.Federation](h, "federation", "show", "fed")
	expect(t, "partitions, question and name are as set", f.Partitions == 7 && f.Asking != nil && f.Asking.Question == "Why?" &&
		f.Asking.AnswerNeeded && f.Name == "Fed", f)
	h.do("federation", "policy", "fed", "--parallel", "2", "--no-web")
	p := read[client.RunPolicy](h, "federation", "policy", "fed")
	expect(t, "the policy is as set", p.Parallel == 2 && !p.Web, p)
	h.do("federation", "start", "fed")
	f = read[client.Federation](h, "federation", "show", "fed")
	expect(t, "the SuperLink was started", f.SuperLink.State != "stopped", f.SuperLink)
	h.do("federation", "stop", "fed")
	h.until("the SuperLink is stopped", func() bool {
		return read[client.Federation](h, "federation", "show", "fed").SuperLink.State == "stopped"
	})
	h.fails(exitNotFound, "federation", "show", "nowhere")
}

// requests takes a person from asking to an enrolled key, and returns their request.
func (h *host) requests() string {
	t := h.t
	admin := h.token
	asked := read[client.Asked](h, "request", "ask", "fed", "--email", "north@example.org", "--name", "North", "--message", "For science.")
	h.fails(exitAway, "request", "resend", asked.Ref) // one was mailed a moment ago
	h.ahead.Add(int64(10 * time.Minute))
	h.do("request", "resend", asked.Ref)
	code := ""
	for _, m := range read[[]client.Mail](h, "mail", "list") {
		if c, _, ok := strings.Cut(m.Subject, " is your code"); ok && code == "" && m.To == "north@example.org" {
			code = c
		}
	}
	h.fails(1, "request", "verify", asked.Ref)
	expect(t, "verify shows the request", strings.Contains(h.with(code+"\n", "request", "verify", asked.Ref), "pending"), code)
	list := read[[]client.Request](h, "request", "list", "fed", "--state", "pending")
	expect(t, "it is pending", len(list) == 1 && list[0].Ref == asked.Ref, list)
	h.do("request", "approve", "fed", asked.Ref, "--partition", "3")
	list = read[[]client.Request](h, "request", "list", "fed", "--state", "approved", "--limit", "1")
	expect(t, "it holds the partition", len(list) == 1 && list[0].Partition != nil && *list[0].Partition == 3, list)

	reminded := read[client.Reminded](h, "request", "remind", "fed", "--all")
	expect(t, "who has not connected is reminded", reminded == client.Reminded{Mailed: 1}, reminded)
	h.fails(1, "request", "remind", "fed")
	h.fails(exitAway, "request", "remind", "fed", asked.Ref) // less than a day ago

	people := read[[]client.Person](h, "user", "list", "--search", "north")
	h.as(people[0].ID)
	mine := read[[]client.Request](h, "request", "mine")
	expect(t, "it is the person's", len(mine) == 1 && mine[0].Ref == asked.Ref, mine)
	expect(t, "the command has a token", strings.Contains(h.do("request", "token", asked.Ref), " --token "), mine)
	h.uploadKey(asked.Ref)
	h.fails(exitNotFound, "request", "list", "nowhere")
	h.fails(2, "request", "list", "fed")

	h.token = admin
	for who, decide := range map[string]func(string){
		"south@example.org": func(ref string) { h.do("request", "reject", ref, "--reason", "full") },
		"west@example.org": func(ref string) {
			h.do("request", "approve", "fed", ref)
			h.do("request", "revoke", ref, "--reason", "left")
		},
	} {
		decide(h.pending(who))
	}
	states := map[string]string{}
	for _, r := range read[[]client.Request](h, "request", "list", "fed") {
		states[r.Email] = r.State
	}
	expect(t, "they are decided", states["south@example.org"] == "rejected" && states["west@example.org"] == "revoked", states)
	east := h.pending("east@example.org")
	h.as(read[[]client.Person](h, "user", "list", "--search", "east")[0].ID)
	h.do("request", "withdraw", east)
	expect(t, "it is withdrawn", read[[]client.Request](h, "request", "mine")[0].State == "withdrawn", east)
	h.token = admin
	return asked.Ref
}

// pending asks and verifies, and returns the request.
func (h *host) pending(email string) string {
	h.t.Helper()
	asked := read[client.Asked](h, "request", "ask", "fed", "--email", email, "--name", email, "--message", "m")
	for _, m := range read[[]client.Mail](h, "mail", "list") {
		if c, _, ok := strings.Cut(m.Subject, " is your code"); ok && m.To == email {
			h.with(c, "request", "verify", asked.Ref)
			return asked.Ref
		}
	}
	h.t.Fatalf("no code was mailed to %s", email)
	return ""
}

// uploadKey enrols a key made with ssh-keygen, as the status page shows it.
func (h *host) uploadKey(ref string) {
	t := h.t
	dir := t.TempDir()
	keygen := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "ssh-keygen", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ssh-keygen %v: %v", args, err)
		}
		return out
	}
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keygen("-q", "-t", "ecdsa", "-b", "384", "-m", "PKCS8", "-N", "", "-f", "key")
	public := file("public.pem", keygen("-e", "-m", "PKCS8", "-f", "key.pub"))
	challenge := file("text", []byte(h.do("request", "challenge", ref)))
	keygen("-q", "-Y", "sign", "-n", "blossomtune", "-f", "key", "text")
	k := read[client.UploadedKey](h, "request", "key", ref, "--key", public, "--challenge", challenge, "--signature", challenge+".sig")
	expect(t, "the key is enrolled", k.Partition == 3 && k.Fingerprint != "", k)
}

func (h *host) nodes(ref string) {
	t := h.t
	state := func() string {
		return read[[]client.Node](h, "node", "list", "fed", "--state", "")[0].State
	}
	expect(t, "the SuperNode was never seen", state() == "never_seen", state())
	h.do("node", "suspend", ref, "--reason", "maintenance")
	expect(t, "it is suspended", state() == "suspended", state())
	h.do("node", "resume", ref)
	expect(t, "it may continue", state() == "never_seen", state())
}

func (h *host) people() {
	t, ctx := h.t, h.t.Context()
	p := read[[]client.Person](h, "user", "list", "--search", "north")[0]
	id := fmt.Sprint(p.ID)
	h.do("user", "admin", id)
	expect(t, "an admin", read[[]client.Person](h, "user", "list", "--search", "north")[0].Admin, id)
	h.fails(exitConflict, "user", "admin", id, "--no-admin") // the last one
	h.do("user", "admin", fmt.Sprint(read[[]client.Person](h, "user", "list", "--search", "east")[0].ID))
	h.do("user", "admin", id, "--no-admin")
	expect(t, "no admin", !read[[]client.Person](h, "user", "list", "--search", "north")[0].Admin, id)
	h.do("user", "grant", "fed", "viewer@example.org", "viewer")
	roles := read[[]client.Role](h, "user", "roles", "fed")
	expect(t, "a viewer", len(roles) == 1 && roles[0].Role == "viewer" && roles[0].Email == "viewer@example.org", roles)
	h.do("user", "grant", "fed", "viewer@example.org", "none")
	expect(t, "no viewer", len(read[[]client.Role](h, "user", "roles", "fed")) == 0, roles)
	for range 2 {
		if _, _, err := h.srv.Accounts.NewSession(ctx, p.ID, "192.0.2.1", "test"); err != nil {
			t.Fatal(err)
		}
	}
	has := read[client.PersonAccess](h, "user", "access", id)
	sessions, tokens := len(has.Sessions), len(has.Tokens)
	h.do("user", "end-session", id, fmt.Sprint(has.Sessions[0].ID))
	h.do("user", "revoke-token", id, fmt.Sprint(has.Tokens[0].ID))
	has = read[client.PersonAccess](h, "user", "access", id)
	expect(t, "one less of each", len(has.Sessions) == sessions-1 && len(has.Tokens) == tokens-1, has)
	h.do("user", "sign-out", id)
	has = read[client.PersonAccess](h, "user", "access", id)
	expect(t, "none is left", len(has.Sessions) == 0 && len(has.Tokens) == 0, has)
	made := read[client.CreatedToken](h, "token", "new", "ci", "--scope", "read", "--days", "3")
	admin := h.token
	h.token = made.Token
	expect(t, "the token works", read[client.Me](h, "whoami").Admin, made)
	h.fails(2, "federation", "resize", "fed", "9")
	h.token = admin
	h.do("token", "revoke", fmt.Sprint(made.ID))
	expect(t, "it is gone from the list", !slices.ContainsFunc(read[[]client.PersonToken](h, "token", "list"),
		func(k client.PersonToken) bool { return k.ID == made.ID }), made)
	h.token = made.Token
	h.fails(exitSignIn, "whoami")
	h.token = admin
}

func (h *host) house() {
	t := h.t
	inv := read[client.Invitation](h, "invite", "create", "fed", "--note", "spring", "--uses", "3")
	expect(t, "it has a link", strings.Contains(inv.Link, "/i/"), inv)
	done := client.Imported{}
	if err := json.Unmarshal([]byte(h.with("a@example.org\nb@example.org\n", "invite", "import", "fed", "-o", "json")), &done); err != nil ||
		len(done.Invited) != 2 {
		t.Errorf("%v, %+v", err, done)
	}
	h.do("invite", "revoke", "fed", fmt.Sprint(inv.ID))
	list := read[[]client.Invitation](h, "invite", "list", "fed")
	expect(t, "three, the first of them ended", len(list) == 3 && list[2].Ended != "", list)
	rule := read[client.Rule](h, "invite", "rules", "add", "fed", "domain", "uni.example")
	expect(t, "the rule is there", len(read[[]client.Rule](h, "invite", "rules", "list", "fed")) == 1, rule)
	h.do("invite", "rules", "drop", "fed", fmt.Sprint(rule.ID))
	expect(t, "the rule is gone", len(read[[]client.Rule](h, "invite", "rules", "list", "fed")) == 0, rule)
	lost := domain.Mail{To: "lost@example.org", Subject: "s", Text: "t", State: domain.MailDead, CreatedAt: time.Now()}
	h.inDatabase(func(db *store.DB) error {
		return db.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertMail(t.Context(), &lost) })
	})
	h.do("mail", "resend", fmt.Sprint(lost.ID))
	mails := read[[]client.Mail](h, "mail", "list")
	i := slices.IndexFunc(mails, func(m client.Mail) bool { return m.ID == lost.ID })
	expect(t, "the mail is queued again", i >= 0 && mails[i].State == "queued", mails)
	h.do("site", "set", "name=Our Fed")
	expect(t, "the name is set", strings.Contains(h.do("site", "show"), "Our Fed"), h.do("site", "show"))
	h.do("site", "set", "--reset", "name")
	expect(t, "the name is back", !strings.Contains(h.do("site", "show"), "Our Fed"), h.do("site", "show"))
	h.do("site", "containment", "--accept")
	expect(t, "accepted", read[client.Containment](h, "site", "containment").Accepted, nil)
	expect(t, "the audit knows", strings.Contains(h.do("audit", "list", "--limit", "500"), "federation.created"), h.do("audit", "list"))
	expect(t, "the audit is whole", strings.Contains(h.do("audit", "check"), "whole"), nil)
	h.do("backup", "start")
	h.until("the backup is listed", func() bool {
		b := read[client.Backups](h, "backup", "list")
		return len(b.Newest) == 1 && b.Newest[0].Kind == "admin" && b.Newest[0].Verified == "content"
	})
	expect(t, "the table has it", strings.Contains(h.do("backup", "list"), ".backup"), h.do("backup", "list"))
}

func (h *host) apps() string {
	t := h.t
	dir := filepath.Join(t.TempDir(), "line")
	h.do("app", "new", dir)
	pythons := "--python-dir=" + filepath.Dir(testflwr.Venv(t).Dir)
	checked := read[appcheck.Report](h, "app", "check", dir, "--offline", pythons)
	expect(t, "the new app has no problems", checked.App == "example/line" && len(checked.Findings) >= 5, checked)
	h.fails(4, "app", "check", t.TempDir(), "--offline", pythons)
	a := read[client.App](h, "app", "add", dir)
	expect(t, "the app is added", a.ID == "example/line" && len(a.Config) == 3, a)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm",
		"x"}} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	project := filepath.Join(dir, "pyproject.toml")
	text, err := os.ReadFile(project)
	if err == nil {
		err = os.WriteFile(project, bytes.Replace(text, []byte("0.1.0"), []byte("0.2.0"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	fromGit := read[client.App](h, "app", "add", "--git", dir)
	expect(t, "the commit's version is added", fromGit.Version == "0.1.0", fromGit)
	newer := read[client.App](h, "app", "add", dir)
	expect(t, "the newer version is added", newer.Version == "0.2.0", newer)
	expect(t, "both are listed", strings.Count(h.do("app", "list"), "example/line") >= 2, nil)
	expect(t, "the newest is shown by its name", read[client.App](h, "app", "show", "example/line").Hash == newer.Hash, newer)
	expect(t, "it has files", strings.Contains(h.do("app", "files", newer.Hash), "line/task.py"), nil)
	expect(t, "a file is printed", strings.Contains(h.do("app", "cat", newer.Hash, "pyproject.toml"), `version = "0.2.0"`), nil)
	diff := h.do("app", "diff", newer.Hash, "--against", a.Hash)
	expect(t, "the versions differ in one line", strings.Contains(diff, `+version = "0.2.0"`) &&
		strings.Contains(diff, `-version = "0.1.0"`), diff)
	fab := filepath.Join(t.TempDir(), "a.fab")
	h.do("app", "pull", newer.Hash, "--to", fab)
	expect(t, "the same FAB is the same version", read[client.App](h, "app", "add", fab).Hash == newer.Hash, nil)
	h.do("app", "preset", "save", newer.Hash, "quick", "-c", "num-server-rounds=1")
	presets := read[[]client.Preset](h, "app", "preset", "list", newer.Hash)
	expect(t, "the preset is saved", len(presets) == 1 && presets[0].Config["num-server-rounds"] == "1", presets)
	h.do("app", "preset", "delete", newer.Hash, "quick")
	expect(t, "the preset is gone", len(read[[]client.Preset](h, "app", "preset", "list", newer.Hash)) == 0, nil)
	return newer.Hash
}

func (h *host) runs(hash string) {
	t, later := h.t, time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)
	start := func(name string, more ...string) client.Run {
		return read[client.Run](h, append([]string{"run", "start", "fed", "example/line", "--name", name, "--override", "test", "-c",
			"learning-rate=0.05"}, more...)...)
	}
	a := start("a", "--note", "first", "--tag", "x", "--not-before", later)
	expect(t, "it is queued with a typed value", a.State == "queued" && a.Config["learning-rate"] == 0.05 && a.AppHash == hash, a)
	start("b", "--not-before", later)
	queue := func() (names []string) {
		for _, r := range read[[]client.Run](h, "run", "queue", "fed") {
			names = append(names, r.Name)
		}
		return names
	}
	expect(t, "a is next", slices.Equal(queue(), []string{"a", "b"}), queue())
	h.do("run", "move", "b", "1")
	expect(t, "b is next", slices.Equal(queue(), []string{"b", "a"}), queue())
	h.do("run", "stop", "a")
	expect(t, "a is stopped", read[client.Run](h, "run", "show", "a").State == "stopped", nil)
	h.do("run", "requeue", "a")
	expect(t, "a is queued again", read[client.Run](h, "run", "show", "a").State == "queued", nil)
	h.do("run", "stop", "a")
	h.fails(exitRun, "run", "watch", "a")
	h.do("run", "again", "a", "--name", "c", "-c", "local-epochs=3", "--override", "test", "--not-before", later)
	expect(t, "c has both values", fmt.Sprint(read[client.Run](h, "run", "show", "c").Config) == "map[learning-rate:0.05 local-epochs:3]",
		read[client.Run](h, "run", "show", "c").Config)
	h.do("run", "describe", "a", "--note", "second", "--tag", "y")
	r := read[client.Run](h, "run", "show", "a")
	expect(t, "note and tags are changed", r.Note == "second" && slices.Equal(r.Tags, []string{"y"}), r)
	expect(t, "all are listed", len(read[[]client.Run](h, "run", "list", "fed")) == 3, nil)
	found := read[client.RunTable](h, "run", "find", "fed", "--tag", "y", "--col", "config.learning-rate")
	expect(t, "a is found with its value", found.Total == 1 && found.Runs[0].Values["config.learning-rate"].Text == "0.05", found)
	h.finished(hash)
	expect(t, "the comparison has what differs", strings.Contains(h.do("run", "compare", "a", "done"), "server.accuracy"),
		h.do("run", "compare", "a", "done"))
	h.fails(exitNotFound, "run", "show", "nothing")
}

// inDatabase changes the server's database, for what no command can bring about.
func (h *host) inDatabase(change func(*store.DB) error) {
	h.t.Helper()
	db, err := store.OpenExisting(h.t.Context(), "sqlite:"+filepath.Join(h.data, "blossomtune.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	if err := change(db); err != nil {
		h.t.Fatal(err)
	}
}

// finished puts a completed run into the database, with metrics, a log and a file, and reads all of them.
func (h *host) finished(hash string) {
	t, ctx := h.t, h.t.Context()
	fed, err := h.srv.Onboarding.FederationBySlug(ctx, "fed")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	run := domain.Run{FederationID: fed.ID, Name: "done", State: domain.Completed, AppHash: hash, AppID: "example/line", AppVersion: "0.2.0",
		TotalPartitions: 7, EngineRunID: 42,
		CreatedAt: now, StartingAt: now, RunningAt: now, EndedAt: now, Round: 1, Rounds: 1}
	h.inDatabase(func(db *store.DB) error {
		return db.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertRun(ctx, &run); err != nil {
				return err
			}
			return tx.InsertReceipt(ctx, run.ID, []byte(`{"signatures":[]}`), now)
		})
	})
	h.inDatabase(func(db *store.DB) error {
		return db.Record(ctx, domain.Observation{FederationID: fed.ID, EngineRunID: 42,
			Exchanges: []domain.Exchange{{FederationID: fed.ID, EngineRunID: 42, MessageID: "m", Round: 1, Phase: domain.PhaseTrain, NodeID: 8,
				AskedAt: now, RepliedAt: now}},
			Metrics: []domain.Metric{{FederationID: fed.ID, EngineRunID: 42, Round: 1, Phase: domain.PhaseServer, Name: "accuracy", Value: 0.75}}})
	})
	for path, text := range map[string]string{
		filepath.Join(h.srv.Runs.Engine.WorkDir(fed.ID, 42), "out", "model.txt"):                "weights",
		filepath.Join(h.data, "federations", fmt.Sprint(fed.ID), "runs", "42", "serverapp.log"): "one\ntwo\nthree\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := h.do("run", "watch", "done")
	expect(t, "watch ends with the metric and the state", strings.Contains(out, "round 1  server accuracy = 0.75") &&
		strings.Contains(out, "completed"), out)
	expect(t, "the log", h.do("run", "logs", "done", "-f") == "one\ntwo\nthree\n", h.do("run", "logs", "done"))
	expect(t, "its end", h.do("run", "logs", "done", "--tail", "1") == "three\n", h.do("run", "logs", "done", "--tail", "1"))
	expect(t, "metrics", len(read[[]client.Metric](h, "run", "metrics", "done")) == 1, nil)
	expect(t, "metrics as CSV", strings.Contains(h.do("run", "metrics", "done", "--csv"), "accuracy"), h.do("run", "metrics", "done", "--csv"))
	h.do("run", "participants", "done")
	round := read[[]client.Exchange](h, "run", "round", "done", "1")
	expect(t, "the round", len(round) == 1 && round[0].NodeID == 8, round)
	expect(t, "traffic", strings.HasPrefix(h.do("run", "traffic", "done"), "NODE"), nil)
	expect(t, "the artifact is listed", strings.Contains(h.do("run", "artifacts", "done"), "out/model.txt"), h.do("run", "artifacts", "done"))
	to := t.TempDir()
	h.do("run", "pull", "done", "--to", to)
	text, err := os.ReadFile(filepath.Join(to, "out", "model.txt"))
	expect(t, "it is downloaded", err == nil && string(text) == "weights", err)
	h.fails(exitNotFound, "run", "pull", "done", "nothing", "--to", to)
	expect(t, "the receipt, byte for byte", h.do("run", "receipt", "done") == `{"signatures":[]}`, h.do("run", "receipt", "done"))
}

func (h *host) shares() {
	t := h.t
	s := read[client.Share](h, "run", "share", "done", "--days", "2")
	res, err := http.Get("http://" + h.srv.Addr().String() + s.URL[strings.Index(s.URL, "/share/"):])
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%v %v", res, err)
	}
	h.do("run", "unshare", "done", fmt.Sprint(s.ID))
	all := read[[]client.Share](h, "run", "shares", "done")
	expect(t, "the link is revoked", len(all) == 1 && all[0].RevokedAt != nil, all)
}

func (h *host) erased() {
	t := h.t
	id := func(name string) string {
		return fmt.Sprint(read[[]client.Person](h, "user", "list", "--search", name)[0].ID)
	}
	h.fails(exitConflict, "user", "erase", id("north")) // approved
	west := id("west")
	gone := read[client.ErasedPerson](h, "user", "erase", west)
	expect(t, "a label is left", gone.Name == "Erased person "+west, gone)
	expect(t, "nobody is found", len(read[[]client.Person](h, "user", "list", "--search", "west")) == 0, gone)
	expect(t, "the audit is whole", strings.Contains(h.do("audit", "check"), "whole"), nil)
	expect(t, "nothing names them", !strings.Contains(h.do("audit", "list", "--limit", "500"), "west@"), nil)
}

func (h *host) deletedRuns() {
	t := h.t
	would := read[[]client.DeletedRun](h, "run", "delete", "fed", "--state", "completed", "--dry-run")
	expect(t, "a dry run names it", len(would) == 1 && would[0].Name == "done" && would[0].DeletedAt == nil, would)
	h.do("run", "show", "done")
	h.fails(exitConflict, "run", "delete", "fed", "done", "b") // b is queued
	gone := read[[]client.DeletedRun](h, "run", "delete", "fed", "done")
	expect(t, "it says until when it can be restored", len(gone) == 1 && gone[0].RestorableUntil != nil, gone)
	h.fails(exitNotFound, "run", "show", "done")
	all := read[[]client.DeletedRun](h, "run", "deleted", "fed")
	expect(t, "it is among the deleted ones", len(all) == 1 && all[0].Name == "done", all)
	h.do("run", "restore", "fed", "done")
	expect(t, "it is back", read[client.Run](h, "run", "show", "done").State == "completed", all)
}

// Login stores server and token so that only this user can read them. Later commands need neither. The token is not an argument.
func TestLoginKeepsServerAndToken(t *testing.T) {
	h := newHost(t)
	address, token := os.Getenv("BLOSSOMTUNE_SERVER"), h.token
	t.Setenv("BLOSSOMTUNE_SERVER", "")
	h.token = ""
	h.fails(exitSignIn, "whoami")
	if _, code, _ := h.try("blt_wrong", "login", address); code != exitSignIn {
		t.Errorf("exit code %d with a wrong token", code)
	}
	h.fails(exitSignIn, "whoami") // nothing was kept
	h.with(token+"\n", "login", address)
	if me := read[client.Me](h, "whoami"); !me.Admin {
		t.Errorf("%+v", me)
	}
	path, err := loginFile()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	// Over TLS the server's own CA is trusted by its pin alone.
	secure := strings.Replace(address, "http:", "https:", 1)
	h.fails(1, "login", secure) // no one can confirm it
	if _, code, _ := h.try(token, "login", secure, "--pin", strings.Repeat("0", 64)); code != 2 {
		t.Errorf("exit code %d with another pin", code)
	}
	pem, err := http.Get(address + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(pem.Body)
	if err != nil {
		t.Fatal(err)
	}
	h.with(token, "login", secure, "--pin", pinOf(t, text))
	if !strings.Contains(h.do("whoami"), secure) {
		t.Error("the later login is not the current one")
	}
	h.do("logout")
	if !strings.Contains(h.do("whoami"), address) {
		t.Error("the earlier login is not back")
	}
	h.do("logout")
	h.fails(exitSignIn, "whoami")
	t.Setenv("BLOSSOMTUNE_SERVER", "http://127.0.0.1:1")
	h.fails(exitAway, "whoami")
}
