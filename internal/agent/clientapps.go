package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
	"blossomtune/internal/pyerror"
)

// clientApps runs the ClientApps of this machine's SuperNode: it waits for each, so that how it ended is known, keeps what it printed in
// a file of the run, and leaves none behind.
type clientApps struct {
	n    *node
	pool *apphost.Pool

	background sync.WaitGroup // reports and the first template; waited for, so that nothing is written after close
	ctx        context.Context
	stop       context.CancelFunc
}

func (h home) templateLog() string { return h.file("clientapps.log") }
func (h home) superNode() string   { return h.file("supernode") }

// appLog bounds what is kept of a run's ClientApps.
var appLog = logfile.Keep{Max: 10 << 20, Old: 1}

func (h home) runLog(run uint64) string {
	return h.file(filepath.Join("runs", strconv.FormatUint(run, 10)+".log"))
}

func (n *node) clientApps() (*clientApps, error) {
	for _, d := range []string{"flwr_home", "work", "runs"} {
		if err := os.MkdirAll(n.h.file(d), 0o700); err != nil {
			return nil, fmt.Errorf("making the SuperNode's directory: %w", err)
		}
	}
	dir := filepath.Join(filepath.Dir(n.env.Dir), "apps") // the environments of apps are shared as Python is
	pool, err := apphost.New(apphost.Options{
		Base: n.env, Dir: dir, Install: n.deps, Sources: n.j.o.Deps == DepsBuild, Uncontained: n.j.o.Uncontained, BuildUID: n.buildUID(),
		MaxTemplates: max(2, n.j.o.Parallel), Home: n.h.file("flwr_home"), Work: n.h.file("work"),
		Log: n.h.templateLog(), LogKeep: appLog, Progress: func(line string) { n.j.say("  %s", line) }, Clock: n.j.o.Clock,
	})
	if err != nil {
		return nil, err
	}
	n.h.trimRunLogs()
	n.h.trimRooms()
	c := &clientApps{n: n, pool: pool}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

func (c *clientApps) close() {
	c.stop()
	c.background.Wait()
	c.pool.Close(stopGrace)
}

// warm prepares for the app version that ran here last, so that its next run begins at once.
func (c *clientApps) warm(ctx context.Context) {
	fab, err := os.ReadFile(supernode.LastFAB(c.n.h.superNode()))
	if err != nil {
		return // none has run yet
	}
	if _, err := c.n.gate.allow(fab, wire.ObjectID(fab), 0); err != nil {
		return
	}
	ready, err := c.pool.Prepare(ctx, fab)
	if err != nil {
		return // its next message says why
	}
	defer ready.Release()
	room, err := c.n.room(fab)
	if err != nil {
		return
	}
	ready.Enter(room)
	c.pool.Warm(ready, apphost.ClientApp)
}

// Run implements [supernode.Apps]. A ClientApp that failed is reported to the server.
func (c *clientApps) Run(ctx context.Context, t *supernode.Task) error {
	log := c.n.h.runLog(t.RunID)
	from := sizeOf(log)
	if err := c.n.gate.check(t); err != nil {
		return err
	}
	c.n.j.say("%s", began(t))
	defer c.n.status.begins(t, c.n.runs.name(t.RunID))()
	ready, err := c.pool.Prepare(ctx, t.FAB)
	if err != nil {
		return c.unprepared(ctx, t, err)
	}
	if err := c.n.gate.packages(t, ready); err != nil {
		ready.Release()
		return err
	}
	room, err := c.n.room(t.FAB)
	if err != nil {
		ready.Release()
		return c.unprepared(ctx, t, err)
	}
	ready.Enter(room)
	exit, passed, err := c.runOne(ctx, t, ready, room, log)
	if err != nil {
		return c.unprepared(ctx, t, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := c.ended(t, exit, passed, readFrom(log, from))
	if e == nil {
		return nil
	}
	c.n.j.say("A ClientApp of run %d failed (%s). Its output: %s", t.RunID, e.words(), log)
	c.report(*e)
	return &supernode.AppError{Code: wire.ErrorCrashed, Reason: "The ClientApp ended without a reply: " + e.words() + "."}
}

// unprepared reports a ClientApp that could not be started.
func (c *clientApps) unprepared(ctx context.Context, t *supernode.Task, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := appExit{RunID: strconv.FormatUint(t.RunID, 10), ExitCode: -1, Kind: notStarted}
	failed := &supernode.AppError{Code: wire.ErrorLoadClientApp, Reason: "The ClientApp could not be started on the participant's machine."}
	if b, ok := errors.AsType[*apphost.BuildError](err); ok {
		e = appExit{RunID: strconv.FormatUint(t.RunID, 10), ExitCode: exitDependencies}
		failed.Reason = installFailed(b)
	}
	c.n.j.say("A ClientApp of run %d could not be started: %v", t.RunID, err)
	c.report(e)
	return failed
}

// exitDependencies is Flower's exit code for dependencies that could not be installed.
const exitDependencies = 608

// installFailed is the text of Flower's own exception for this, which the server reads the packages' names from.
func installFailed(b *apphost.BuildError) string {
	return "<class 'RuntimeDependencyInstallationError'>:<'" + b.Cause + "\n" + strings.Join(b.Output, "\n") + "'>"
}

// began names the work on a message.
func began(t *supernode.Task) string {
	if t.Round != "" {
		return fmt.Sprintf("Run %d, round %s: working on a %s message.", t.RunID, t.Round, t.MessageType)
	}
	return fmt.Sprintf("Run %d: working on a %s message.", t.RunID, t.MessageType)
}

// ended returns how a ClientApp failed, or nil if it replied with a result.
func (c *clientApps) ended(t *supernode.Task, exit keeper.Exit, passed string, out []byte) *appExit {
	e := &appExit{RunID: strconv.FormatUint(t.RunID, 10), ExitCode: exit.Code, Signal: exit.Signal}
	switch {
	case passed != "":
		e.Kind, e.Signal = passed, ""
	case t.Replied() && t.Raised() == "":
		return nil // its reply counts, however the process ended after it
	case !t.Replied() && t.Completed():
		e.Kind = returnedNothing
	case !t.Replied() && e.ExitCode == 0 && e.Signal == "":
		e.Kind = noReply
	default:
		e.told(out)
	}
	// flwr may end the process with 0 after it has written its own number
	if code := exitCodeIn(out); code != 0 && e.ExitCode == 0 && passed == "" {
		e.ExitCode = code
	}
	if c.n.j.o.ShareOutput {
		for _, l := range lastLines(out, 20) {
			e.Output = append(e.Output, domain.Cut(string(l), 300))
		}
	}
	return e
}

// runOne runs a ClientApp to its end, and says which of its limits it passed.
func (c *clientApps) runOne(ctx context.Context, t *supernode.Task, ready *apphost.Ready, room *apphost.Room, log string) (exit keeper.Exit,
	passed string, err error) {
	return c.runProgram(ctx, apphost.ClientApp, t, ready, room, log)
}

// runProgram runs one of Flower's programs as runOne does; of the task it uses address and token.
func (c *clientApps) runProgram(ctx context.Context, prog apphost.Program, t *supernode.Task, ready *apphost.Ready, room *apphost.Room,
	log string) (exit keeper.Exit, passed string, err error) {
	name := "task_" + t.Token[:16]
	args := []string{"--runtime-api-address", t.Address, "--insecure", "--token-file"}
	var token string
	if room == nil {
		token = c.n.h.file(name)
		args = append(args, token, "--parent-pid", strconv.Itoa(os.Getpid()))
		err = writeFile(token, []byte(t.Token), 0o600)
	} else { // it cannot see this process, and its own first process ends with this one
		token, err = room.Put(name, []byte(t.Token))
		args = append(args, token)
	}
	if err != nil {
		return exit, "", err
	}
	defer os.Remove(token)
	child, err := c.start(ctx, prog, ready, args, log)
	if err != nil {
		return exit, "", err
	}
	passed = c.n.j.o.AppLimits.hold(ctx, child, room)
	exit = child.Exit()
	if passed == overDisk { // else its next process would be ended at once
		room.Empty()
	}
	return exit, passed, nil
}

// start starts a program. Importing what the app needs can take long the first time; when ctx ends meanwhile, the program is ended as
// soon as it is there, and nobody waits for it.
func (c *clientApps) start(ctx context.Context, prog apphost.Program, ready *apphost.Ready, args []string, log string) (*keeper.Child,
	error) {
	type result struct {
		child *keeper.Child
		err   error
	}
	started := make(chan result, 1)
	go func() {
		child, err := c.pool.Start(ready, prog, args, keeper.Fork{Dir: c.n.h.file("work"), LogFile: log, Log: appLog}, nil)
		started <- result{child, err}
		if err == nil {
			<-child.Done()
		}
		ready.Release()
	}()
	select {
	case r := <-started:
		return r.child, r.err
	case <-ctx.Done():
		go func() {
			if r := <-started; r.err == nil {
				r.child.Stop(0)
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// keptRunLogs is how many runs' logs stay on this machine.
const keptRunLogs = 200

// trimRunLogs removes the logs of the runs that are longest ago.
func (h home) trimRunLogs() {
	entries, err := os.ReadDir(h.file("runs"))
	if err != nil {
		return
	}
	newest := map[string]time.Time{} // by run: its log, its older part and the times of its lines belong together
	for _, e := range entries {
		run, _, _ := strings.Cut(e.Name(), ".")
		if info, err := e.Info(); err == nil && info.ModTime().After(newest[run]) {
			newest[run] = info.ModTime()
		}
	}
	runs := slices.SortedFunc(maps.Keys(newest), func(a, b string) int { return newest[b].Compare(newest[a]) })
	for _, run := range runs[min(keptRunLogs, len(runs)):] {
		found, _ := filepath.Glob(h.file(filepath.Join("runs", run+".*"))) // a run's number makes a sound pattern
		for _, path := range found {
			_ = os.Remove(path)
		}
	}
}

// report tells the server in the background how a ClientApp failed.
func (c *clientApps) report(e appExit) {
	c.background.Go(func() { c.n.report(c.ctx, e) })
}

// appExit is how a ClientApp failed, as the server learns it. What an app printed may hold data of this machine's owner, so without
// --share-output only the kind of the exception goes out, with the line of the app that raised it, and the name of a module or the
// address of a server that it lacks.
type appExit client.AppExit

func (e appExit) words() string {
	switch {
	case e.Kind == noReply:
		return "it ended itself with exit code 0 before it replied"
	case e.Kind == returnedNothing:
		return "it returned None instead of a reply"
	case e.Kind == overMemory:
		return "it used more memory than the participant allows"
	case e.Kind == overDisk:
		return "its files took more disk than the participant allows"
	case e.Kind == overTime:
		return "it took longer than the participant allows"
	case e.Module != "":
		return "it cannot import " + e.Module
	case e.Kind != "":
		return e.Kind
	case e.Signal != "":
		return "ended by " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.ExitCode)
}

// told fills in what an exit tells of the exception in a ClientApp's output: its kind without its message, and what it is about where
// that has a form of its own. The line is the app's, so it holds nothing of this machine's owner.
func (e *appExit) told(out []byte) {
	chain := pyerror.Parse(strings.Split(string(out), "\n"))
	if len(chain) == 0 {
		return
	}
	last := chain[len(chain)-1]
	e.Kind = domain.Cut(last.Kind, 100)
	e.Module = pyerror.MissingModule(last)
	if n, ok := pyerror.NetworkIn(chain); ok {
		e.Trouble, e.Address = string(n.Trouble), n.Address
	}
	if f, _, ok := pyerror.AppFrame(chain); ok && f.File() != "" {
		e.File, e.Line, e.Func, e.Code = f.File(), f.Line, domain.Cut(f.Func, 100), domain.Cut(f.Code, 200)
	}
}

// report tells the server how a ClientApp failed; a server that is away is tried for a minute.
func (n *node) report(ctx context.Context, e appExit) {
	if n.gate.NoLogs() {
		e.Output = nil
	}
	text, err := json.Marshal(e)
	if err == nil {
		err = n.rec.shared(ledger.Exit, "clientapp", e.RunID, len(e.Output), text)
	}
	if err != nil {
		n.j.say("The report of it is not sent, because it cannot be recorded: %v", err)
		return
	}
	for wait := time.Second; wait < time.Minute; wait *= 2 {
		err := n.j.srv.call(ctx, n.conn.client(), http.MethodPost, "/agent/exits", e, n.signed, nil)
		var d *domain.Error
		if err == nil {
			return
		}
		if errors.As(err, &d) && d.Code != domain.Unavailable && d.Code != domain.Limited {
			n.j.say("The server does not take the report of it: %s", d.Message)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
