package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/rehearsal"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// RehearsalOptions say what [Rehearse] runs.
type RehearsalOptions struct {
	App     string        // SHA-256 of an app version on this machine, or its first 16 digits or more; empty: the one approved last
	File    string        // a FAB in its place
	Timeout time.Duration // of the whole round; 0: 10 minutes
}

const (
	rehearsalLimit = 10 * time.Minute
	rehearsalLines = 20 // of output that is shown where an app failed
)

// rehearser runs one rehearsal. It has no connection to the server: its node has none.
type rehearser struct {
	n    *node
	apps *clientApps
	link *rehearsal.Link
	web  bool
	out  Rehearsal

	mu      sync.Mutex
	over    bool
	replies []supernode.Outgoing
}

// Rehearse runs one round of an app version on this machine, ServerApp and ClientApp, and returns what would leave it. Nothing is sent, and
// the ledger and the SuperNode that may run here are not touched. An error is of this machine; an app that fails is in the result.
func Rehearse(ctx context.Context, o Options, what RehearsalOptions) (*Rehearsal, error) {
	m, err := OneMachine(o.Dir, o.URL)
	if err != nil {
		return nil, err
	}
	o.URL = m.Server
	j, _, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if err := j.checkData(home(m.Dir)); err != nil {
		return nil, err
	}
	fab, err := m.rehearsed(what)
	if err != nil {
		return nil, err
	}
	if o.PythonDir == "" && o.Dir != "" { // a service runs with --dir and the Python beside it
		if _, err := os.Stat(home(m.Dir).file("python")); err != nil {
			j.o.PythonDir = filepath.Join(filepath.Dir(m.Dir), "python")
		}
	}
	env, err := j.environment(ctx, home(m.Dir))
	if err != nil {
		return nil, err
	}
	return m.rehearse(ctx, &node{j: j, st: m.st, env: env, deps: j.allowDeps()}, fab, what.Timeout)
}

// rehearse runs a node without a connection through one round.
func (m Machine) rehearse(ctx context.Context, n *node, fab []byte, limit time.Duration) (*Rehearsal, error) {
	if limit <= 0 {
		limit = rehearsalLimit
	}
	dir := filepath.Join(m.Dir, "rehearsal")
	guard, err := lockRehearsal(dir)
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	defer os.RemoveAll(dir)
	n.h = home(dir)
	r := &rehearser{n: n}
	if err := r.describe(m, fab); err != nil {
		return nil, err
	}
	if err := n.choosePort(); err != nil {
		return nil, err
	}
	if r.apps, err = n.rehearsalApps(); err != nil {
		return nil, err
	}
	defer r.apps.close()
	if r.link, err = r.newLink(fab); err != nil {
		return nil, err
	}
	began := n.j.o.Clock()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, domain.Errorf(domain.Unavailable, "The round did not end within %s.", limit))
	defer cancel()
	n.j.say("Running one round of %s %s on this machine. Nothing is sent to the server.", r.out.App, r.out.Version)
	if err := r.run(ctx, fab); err != nil {
		return nil, err
	}
	r.out.Seconds = n.j.o.Clock().Sub(began).Seconds()
	r.sum()
	return &r.out, nil
}

// lockRehearsal empties the folder of a rehearsal; one at a time uses it.
func lockRehearsal(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if lockFile(f) != nil {
		_ = f.Close()
		return nil, domain.Errorf(domain.Conflict, "A rehearsal runs on this machine already.").Fix("Wait until it ends.")
	}
	_ = os.RemoveAll(dir) // of one that was killed
	for _, d := range []string{"flwr_home", "work", "runs", "objects"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("making the rehearsal's folder: %w", err)
		}
	}
	return f, nil
}

// describe fills in what is known of the app version before it runs. One that the owner rejected does not run; one that would not run in a
// real run gets no access to the web.
func (r *rehearser) describe(m Machine, fab []byte) error {
	v, err := approval.Read(fab, r.n.deps)
	if err != nil {
		return domain.Errorf(domain.Invalid, "The app cannot be read.").Fix("Name a FAB that flwr build made.").Because(err)
	}
	store, err := m.store()
	if err != nil {
		return err
	}
	now := r.n.j.o.Clock()
	gate := approval.Gate{Store: store, Rules: home(m.Dir).rulesFiles(), Policy: m.st.policy()}
	_, err = gate.Allow(fab, v.FAB, r.n.deps, approval.Run{Federation: m.Federation}, now, now)
	refused, isRefusal := approval.IsRefusal(err)
	o := r.n.j.o
	switch {
	case err == nil:
		r.web = true
	case !isRefusal:
		return err
	case refused.Rule == approval.RuleRejected:
		return domain.Errorf(domain.Conflict, "You have rejected %s %s.", v.App, v.Version).
			Fix("Approve it first: blossomtune apps approve %.16s.", v.FAB)
	case domain.Containment(o.containment()) != domain.ContainedFully: // only there an app has no network at all
		return domain.Errorf(domain.Conflict, "%s %s is not approved, and apps cannot be cut off from the network here.", v.App, v.Version).
			Fix("Read it with blossomtune apps show %.16s, then approve it with blossomtune apps approve %.16s.", v.FAB, v.FAB)
	default:
		r.out.Refused = refused.Error()
	}
	r.out.Federation, r.out.FAB, r.out.App, r.out.Version = m.Name, v.FAB, v.App, v.Version
	r.out.Web, r.out.Contained, r.out.Data = r.web, o.containment(), append([]string{}, o.Data...)
	return nil
}

// roundKeys are the names that apps give to their number of rounds.
var roundKeys = []string{"num-server-rounds", "num_server_rounds", "num-rounds", "num_rounds", "server-rounds", "rounds"}

func (r *rehearser) newLink(fab []byte) (*rehearsal.Link, error) {
	defaults, err := supernode.Defaults(fab)
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The app's configuration cannot be read.").Fix("Correct its pyproject.toml.").Because(err)
	}
	r.out.Config = map[string]any{}
	for _, key := range roundKeys {
		if _, ok := defaults[key].GetScalar().(*flwrpb.Scalar_Sint64); ok {
			r.out.Config[key] = int64(1)
		}
	}
	return rehearsal.New(rehearsal.Options{FAB: fab, App: r.out.App, Version: r.out.Version, Config: maps.Clone(r.out.Config),
		OneRound: len(r.out.Config) == 0, Dir: r.n.h.file("objects"), Clock: r.n.j.o.Clock})
}

func (n *node) rehearsalApps() (*clientApps, error) {
	pool, err := apphost.New(apphost.Options{
		Base: n.env, Dir: filepath.Join(filepath.Dir(n.env.Dir), "apps"), Install: n.deps, BuildUID: n.buildUID(), MaxTemplates: -1,
		Home: n.h.file("flwr_home"),
		Work: n.h.file("work"), Log: n.h.templateLog(), LogKeep: appLog, Progress: func(line string) { n.j.say("  %s", line) },
		Clock: n.j.o.Clock,
	})
	if err != nil {
		return nil, err
	}
	c := &clientApps{n: n, pool: pool}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// run runs SuperNode and ServerApp until the ServerApp has ended.
func (r *rehearser) run(ctx context.Context, fab []byte) error {
	n := r.n
	sn := supernode.New(supernode.Options{SuperLink: "rehearsal", Transport: r.link, FlwrVersion: n.env.FlwrVersion, Dir: n.h.superNode(),
		Port: int(n.port.Load()), Apps: r, Recorder: r, Log: func(string, ...any) {}, Online: func(uint64) {}, Clock: n.j.o.Clock})
	if err := sn.SetConfig(n.config()); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	node := make(chan error, 1)
	go func() {
		err := sn.Run(working)
		stop() // a ServerApp without a SuperNode would wait
		node <- err
	}()
	err := r.serverApp(working, fab)
	r.mu.Lock()
	r.over = true // what the SuperNode says while it ends is no part of the round
	r.mu.Unlock()
	stop()
	return errors.Join(err, <-node)
}

func (r *rehearser) tail(what, log string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range lastLines(readFrom(log, 0), rehearsalLines) {
		r.out.Output = append(r.out.Output, what+": "+domain.Cut(strings.ToValidUTF8(string(line), "?"), 300))
	}
}

// Run implements [supernode.Apps].
func (r *rehearser) Run(ctx context.Context, t *supernode.Task) error {
	ready, err := r.apps.pool.Prepare(ctx, t.FAB)
	if err != nil {
		return &supernode.AppError{Code: wire.ErrorLoadClientApp, Reason: "The ClientApp could not be started: " + prepareWords(ctx, err).Error()}
	}
	room, err := r.n.room(t.FAB)
	if err != nil {
		ready.Release()
		return err
	}
	if room != nil {
		room.Hub = r.web
	}
	ready.Enter(room)
	log := r.n.h.runLog(t.RunID)
	from := sizeOf(log)
	exit, passed, err := r.apps.runOne(ctx, t, ready, room, log)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if e := r.apps.ended(t, exit, passed, readFrom(log, from)); e != nil {
		r.tail("ClientApp", log)
		return &supernode.AppError{Code: wire.ErrorCrashed, Reason: "The ClientApp ended without a reply: " + e.words() + "."}
	}
	return nil
}
