// Package agent is `blossomtune join`: the participant's side. It knows the server by the token's pin, makes the key on this
// machine and enrols it, prepares Python, and keeps a SuperNode running until it is told to stop or the access ends.
// It never prints or logs the token or the key.
package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
)

// Deps says whether apps may install the Python packages they name, on this machine.
type Deps string

// The choices of --deps.
const (
	DepsNever Deps = "never"
	DepsAsk   Deps = "ask"
	DepsAllow Deps = "allow"
	DepsBuild Deps = "build" // as allow, and packages without a wheel are built from source, which runs their code during the installation
)

// Options of [Join].
type Options struct {
	URL          string    // of the server
	Token        string    // "-" reads it from In; may be empty when this machine is enrolled already
	Dir          string    // of this federation's key, state and log; default ~/.blossomtune/<host>_<federation>
	Deps         Deps      // DepsAsk if empty
	Python       string    // to make the environment with; default: found on PATH
	PythonDir    string    // holds the Python environments; default: "python" beside or in Dir
	Requirements []byte    // further packages with hashes for the environment
	NodePort     int       // of the SuperNode on loopback; 0: a free one
	Parallel     int       // messages handled at the same time; 0: one
	Approve      string    // which app versions run here: any, listed or ask; empty: as before, or any
	NewKey       bool      // put a new key in the place of the enrolled one first
	Service      bool      // let the system run the SuperNode, and return
	AppLimits    AppLimits // of each ClientApp
	Uncontained  bool      // ClientApps run without a sandbox
	Data         []string  // folders that ClientApps can read

	AppUIDs domain.UIDRange // user IDs that ClientApps run under where the agent runs as root; zero: they run as root

	ShareLogs   bool   // the SuperNode's and the ClientApps' logs go to the federation's managers
	ShareOutput bool   // the last lines of a ClientApp that failed go to the federation's managers
	Version     string // of this program, reported to the server
	Program     string // its file: Join ends with [Replaced] after an update has replaced it; "": the file is not watched
	In          io.Reader
	Out         io.Writer // progress, one line each
	Clock       domain.Clock
}

// joining is one run of Join.
type joining struct {
	o     Options
	srv   server
	clock *serverClock
	input *bufio.Reader

	program os.FileInfo // of the program that runs; nil where it is not watched

	mu sync.Mutex // of Out
}

// Join enrols this machine if needed and runs the SuperNode until ctx ends, when it returns nil, or until it cannot go on:
// then the error says why and what to do. A second call with the same token, or with none, goes on with what the first one made.
func Join(ctx context.Context, o Options) error {
	j, tok, err := prepare(o)
	if err != nil {
		return err
	}
	h, st, err := j.open(tok)
	if errors.Is(err, errNoToken) {
		t, err := j.deviceToken(ctx)
		if err != nil {
			return stopped(ctx, err)
		}
		tok = &t
		if h, st, err = j.open(tok); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	guard, err := h.lock()
	if err != nil {
		return err
	}
	defer guard.Close()
	if st == nil {
		if h, st, err = j.enrolled(ctx, h, *tok); err != nil {
			return stopped(ctx, err)
		}
		j.say("Enrolled in %s: partition %d of %d.", st.Name, st.Partition, st.NumPartitions)
		j.say("To see what a run would send from this machine before one starts: blossomtune rehearse%s", j.rehearsalFlags())
	} else {
		j.say("This machine is enrolled in %s: partition %d of %d.", st.Name, st.Partition, st.NumPartitions)
	}
	if err := j.checkData(h); err != nil {
		return err
	}
	if err := j.approve(h, st); err != nil {
		return err
	}
	n, err := j.node(ctx, h, st)
	if err != nil {
		return stopped(ctx, err)
	}
	if err := n.finishRotation(ctx); err != nil {
		return stopped(ctx, err)
	}
	if o.NewKey {
		if err := n.rotate(ctx); err != nil {
			return stopped(ctx, err)
		}
	}
	if o.Service {
		_ = guard.Close() // the service takes it
		return j.asService(ctx, n)
	}
	return stopped(ctx, n.keep(ctx))
}

// approve keeps which app versions the owner lets run. A later start without --approve keeps to it.
func (j *joining) approve(h home, st *state) error {
	if j.o.Approve == "" || j.o.Approve == st.Approve {
		return nil
	}
	st.Approve = j.o.Approve
	return h.save(st)
}

// asService lets the system run what this command would.
func (j *joining) asService(ctx context.Context, n *node) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s, err := serviceOf(n.h, append([]string{self}, j.again(n)...), "SuperNode of "+n.st.Name+" (BlossomTune)")
	if err != nil {
		return err
	}
	return s.install(ctx, j.say)
}

// again returns the arguments that run this SuperNode again as it runs now, without a token and without asking anything.
func (j *joining) again(n *node) []string {
	deps := DepsNever
	if n.deps {
		deps = DepsAllow
	}
	if j.o.Deps == DepsBuild {
		deps = DepsBuild
	}
	args := []string{"join", j.srv.base.String(), "--dir", string(n.h), "--deps", string(deps)}
	if j.o.PythonDir == "" && j.o.Dir == "" {
		args = append(args, "--python-dir", filepath.Join(filepath.Dir(string(n.h)), "python"))
	} else if j.o.PythonDir != "" {
		args = append(args, "--python-dir", j.o.PythonDir)
	}
	if j.o.ShareLogs {
		args = append(args, "--share-logs")
	}
	if j.o.ShareOutput {
		args = append(args, "--share-output")
	}
	if j.o.Uncontained {
		args = append(args, "--contain=off")
	}
	for _, dir := range j.o.Data {
		args = append(args, "--data", dir)
	}
	if m := j.o.AppLimits.Memory; m > 0 {
		args = append(args, "--app-memory", strconv.FormatInt(m/1_000_000, 10))
	}
	if n := j.o.Parallel; n > 1 {
		args = append(args, "--parallel", strconv.Itoa(n))
	}
	if ids := j.o.AppUIDs.String(); ids != domain.DefaultAppUIDs {
		args = append(args, "--app-uids", ids)
	}
	if d := j.o.AppLimits.Time; d > 0 {
		args = append(args, "--app-time", d.String())
	}
	if n.st.Approve != "" {
		args = append(args, "--approve", n.st.Approve)
	}
	if j.o.Python != "" {
		args = append(args, "--python", j.o.Python)
	}
	if j.o.NodePort != 0 {
		args = append(args, "--node-port", strconv.Itoa(j.o.NodePort))
	}
	return append(args, "--app-disk", strconv.FormatInt(j.o.AppLimits.Disk/1_000_000, 10))
}

// stopped makes an ordinary end of what ctx interrupted.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what was asked to stop ends without an error
	}
	return err
}

func prepare(o Options) (*joining, *token, error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.In == nil {
		o.In = strings.NewReader("")
	}
	switch o.Deps {
	case "":
		o.Deps = DepsAsk
	case DepsNever, DepsAsk, DepsAllow, DepsBuild:
	default:
		return nil, nil, domain.Errorf(domain.Invalid, "--deps is never, ask, allow or build, not %q.", o.Deps).At("deps")
	}
	if o.Approve != "" {
		if _, err := approval.ParsePolicy(o.Approve); err != nil {
			return nil, nil, err
		}
	}
	j := &joining{o: o, clock: &serverClock{local: o.Clock}, input: bufio.NewReader(io.LimitReader(o.In, 64<<10))}
	if o.Program != "" {
		j.program, _ = os.Stat(o.Program) // a program that cannot be found is not watched
	}
	text := o.Token
	j.o.Token = ""
	if text == "-" {
		line, err := j.input.ReadString('\n')
		if text = strings.TrimSpace(line); text == "" {
			return nil, nil, domain.Errorf(domain.Invalid, "There is no token on the standard input.").
				Fix("Pipe the token of your status page into the command.").At("token").Because(err)
		}
	}
	var tok *token
	pin := ""
	if text != "" {
		t, err := parseToken(text)
		if err != nil {
			return nil, nil, err
		}
		tok, pin = &t, t.pin
	}
	srv, err := parseServer(o.URL, pin)
	j.srv = srv
	return j, tok, err
}

// open finds the home to use, and its state if it is enrolled and the token, if there is one, is the one that it was enrolled with.
func (j *joining) open(tok *token) (home, *state, error) {
	if j.o.Dir != "" {
		return j.openDir(home(j.o.Dir), tok)
	}
	base, err := defaultBase()
	if err != nil {
		return "", nil, err
	}
	var found []home
	for _, h := range homes(base, j.srv) {
		st, err := h.load()
		if err == nil && st != nil && (tok == nil || st.TokenID == tok.public) {
			found = append(found, h)
		}
	}
	switch {
	case len(found) == 1:
		return j.openDir(found[0], tok)
	case len(found) > 1:
		return "", nil, domain.Errorf(domain.Invalid, "This machine is enrolled in %d federations of %s.", len(found), j.srv.base.Host).
			Fix("Say which one with --dir: %s.", joinHomes(found)).At("dir")
	case tok == nil:
		return "", nil, errNoToken
	}
	return j.openDir(home(filepath.Join(base, j.srv.name()+"_joining_"+tok.public)), tok)
}

// errNoToken: this machine is not enrolled there yet, and has no token to be.
var errNoToken = errors.New("no token")

func joinHomes(hs []home) string {
	words := make([]string, len(hs))
	for i, h := range hs {
		words[i] = string(h)
	}
	return strings.Join(words, ", ")
}

func (j *joining) openDir(h home, tok *token) (home, *state, error) {
	abs, err := filepath.Abs(string(h))
	if err != nil {
		return "", nil, fmt.Errorf("naming the directory: %w", err)
	}
	h = home(abs)
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return "", nil, domain.Errorf(domain.Invalid, "The directory %s cannot be made.", h).Fix("Name another one with --dir.").At("dir").
			Because(err)
	}
	st, err := h.load()
	if err != nil {
		return "", nil, err
	}
	if st != nil && tok != nil && st.TokenID != tok.public {
		st = nil // a new token is a new enrolment, with a new key
	}
	if st == nil && tok == nil {
		return "", nil, errNoToken
	}
	if st != nil {
		j.srv, err = parseServer(j.o.URL, st.Pin)
	}
	return h, st, err
}

// enrolled enrols and gives the home its name for good.
func (j *joining) enrolled(ctx context.Context, h home, tok token) (home, *state, error) {
	st, err := j.enrol(ctx, h, tok)
	if err != nil || j.o.Dir != "" {
		return h, st, err
	}
	h, err = settle(h, filepath.Dir(string(h)), j.srv, st, j.o.Clock().UTC().Format("20060102-150405"))
	return h, st, err
}

// environment makes or finds the Python environment.
func (j *joining) environment(ctx context.Context, h home) (python.Env, error) {
	dir := j.o.PythonDir
	if dir == "" {
		dir = h.file("python")
		if j.o.Dir == "" {
			dir = filepath.Join(filepath.Dir(string(h)), "python") // shared by all federations of this user
		}
	}
	j.say("Preparing Python and Flower (the first time takes a minute or two).")
	env, err := python.Ensure(ctx, python.Options{
		Dir: dir, Python: j.o.Python, Requirements: j.o.Requirements,
		Progress: func(line string) { j.say("  %s", line) },
	})
	if err == nil {
		j.say("Flower %s is ready (Python %s).", env.FlwrVersion, env.PythonVersion)
	}
	return env, err
}

// say prints a line of progress.
func (j *joining) say(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.o.Out, format+"\n", args...)
}

// allowDeps asks, where it is to be asked, whether apps may install packages.
func (j *joining) allowDeps() bool {
	if j.o.Deps != DepsAsk {
		return j.o.Deps == DepsAllow || j.o.Deps == DepsBuild
	}
	j.say("Apps of this federation may need further Python packages. May they install them on this machine, by themselves? [y/N]")
	line, err := j.input.ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	yes := answer == "y" || answer == "yes"
	if err != nil && answer == "" {
		j.say("No answer, so no. Say --deps=allow to permit it, or --deps=never to stop asking.")
	}
	return yes
}
