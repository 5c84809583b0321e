package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
)

// clientApps launches the ClientApps of one SuperNode, in place of Flower's SuperExec: it waits for each, so that how it ended is
// known, keeps what it printed in a file of the run, and leaves none behind.
type clientApps struct {
	n       *node
	addr    string // of the SuperNode's Runtime API
	secret  []byte // shared with the SuperNode: nobody else on this machine gets its tasks
	runtime *wire.Client
	wake    chan struct{}

	templateMu sync.Mutex
	template   *keeper.Template // nil where there is none

	wg sync.WaitGroup
}

func (h home) launchSecret() string { return h.file("launch_secret") }
func (h home) runLog(run uint64) string {
	return h.file(filepath.Join("runs", strconv.FormatUint(run, 10)+".log"))
}

func (n *node) clientApps(port int) (*clientApps, error) {
	c := &clientApps{n: n, addr: fmt.Sprintf("127.0.0.1:%d", port), secret: make([]byte, 32), wake: make(chan struct{}, 1)}
	_, _ = rand.Read(c.secret) // never fails
	c.secret = []byte(fmt.Sprintf("%x", c.secret))
	c.runtime = wire.NewPlainClient(c.addr)
	if err := os.MkdirAll(n.h.file("runs"), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of runs: %w", err)
	}
	return c, writeFile(n.h.launchSecret(), c.secret, 0o600)
}

// taskEvery is how often is asked for a task that nobody announced.
const taskEvery = 2 * time.Second

// announce says that a task may be there.
func (c *clientApps) announce() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run launches what the SuperNode has to be done, until ctx ends; then it ends what still runs.
func (c *clientApps) run(ctx context.Context) {
	defer c.runtime.Close()
	defer c.endTemplate()
	defer c.wg.Wait()
	c.prepare()
	tick := time.NewTicker(taskEvery)
	defer tick.Stop()
	for {
		for {
			task, err := c.runtime.AcquireTask(ctx, c.secret, wire.ClientAppTask)
			if err != nil || task == nil { // a SuperNode that is starting or ending does not answer
				break
			}
			if c.n.deps { // they share the folder of the run's packages, see installed
				c.launch(ctx, *task)
				continue
			}
			c.wg.Go(func() { c.launch(ctx, *task) })
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-tick.C:
		}
	}
}

// launch runs one ClientApp to its end and reports one that failed.
func (c *clientApps) launch(ctx context.Context, task wire.Task) {
	log := c.n.h.runLog(task.RunID)
	from := sizeOf(log)
	exit, passed, err := c.runOne(ctx, task, log)
	if err != nil {
		c.n.j.say("A ClientApp could not be started: %v", err)
		c.n.report(ctx, appExit{RunID: task.RunID, ExitCode: -1, Kind: notStarted})
		return
	}
	if ctx.Err() != nil {
		return
	}
	out := readFrom(log, from)
	e := appExit{RunID: task.RunID, ExitCode: exit.Code, Signal: exit.Signal}
	if code := exitCodeIn(out); code != 0 && passed == "" { // flwr 1.42 may end the process with 0 after it has written its own number
		e.ExitCode = code
	}
	if e.ExitCode == 0 && e.Signal == "" && passed == "" {
		// Its reply is sent. A process that was cut off after that, by its own clock on a busy machine, has not told that it ended.
		_ = c.runtime.FinishTask(ctx, task.Token) // mostly it has: then the token is known no more
		return
	}
	if e.Kind, e.Module = exceptionIn(out); passed != "" {
		e.Kind, e.Module, e.Signal = passed, "", ""
	}
	if c.n.j.o.ShareOutput {
		for _, l := range lastLines(out, 20) {
			e.Output = append(e.Output, string(l[:min(len(l), 300)]))
		}
	}
	c.n.j.say("A ClientApp of run %d failed (%s). Its output: %s", task.RunID, e.words(), log)
	c.n.report(ctx, e)
}

// runOne runs a ClientApp to its end, and says which of its limits it passed.
func (c *clientApps) runOne(ctx context.Context, task wire.Task, log string) (exit keeper.Exit, passed string, err error) {
	token := c.n.h.file(fmt.Sprintf("task_%d", task.ID))
	if err := writeFile(token, []byte(task.Token), 0o600); err != nil {
		return exit, "", err
	}
	defer os.Remove(token)
	args := []string{"--runtime-api-address", c.addr, "--insecure", "--token-file", token, "--parent-pid", strconv.Itoa(os.Getpid())}
	if c.n.deps {
		args = append(args, "--allow-runtime-dependency-installation")
		if err := os.RemoveAll(c.installed(task.RunID)); err != nil {
			return exit, "", fmt.Errorf("removing the packages of the ClientApp before: %w", err)
		}
	}
	child, err := c.start(args, log)
	if err != nil {
		return exit, "", err
	}
	passed = c.n.j.o.AppLimits.hold(ctx, child)
	return child.Exit(), passed, nil
}

// installed is the folder that Flower 1.42 installs a run's packages into, for each ClientApp anew. A ClientApp removes it after it
// has sent its reply, and is ended by its own clock in the middle of that where the folder is large or the machine busy: what is left
// then looks installed to the next one, and is not. So the next one waits for that end, and begins with nothing.
func (c *clientApps) installed(run uint64) string {
	return filepath.Join(c.n.h.file("flwr_home"), "runtime-envs", strconv.FormatUint(run, 10))
}

// appExit is how a ClientApp failed, as the server learns it. What an app printed may hold data of this machine's owner, so without
// --share-output only the kind of the exception goes out, and the name of a module that is missing.
type appExit struct {
	RunID    uint64   `json:"run_id,string"`
	ExitCode int      `json:"exit_code"`
	Signal   string   `json:"signal,omitempty"`
	Kind     string   `json:"kind,omitempty"`
	Module   string   `json:"module,omitempty"`
	Output   []string `json:"output,omitempty"`
}

func (e appExit) words() string {
	switch {
	case e.Module != "":
		return "it cannot import " + e.Module
	case e.Kind != "":
		return e.Kind
	case e.Signal != "":
		return "ended by " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.ExitCode)
}

var (
	exceptionLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.]*)(?::|$)`)
	missingModule = regexp.MustCompile(`No module named '([A-Za-z0-9_.]{1,100})'`)
)

// exceptionIn returns the kind of the last traceback's exception, without its message, and the module that it misses.
func exceptionIn(out []byte) (kind, module string) {
	at := bytes.LastIndex(out, []byte("Traceback (most recent call last)"))
	if at < 0 {
		return "", ""
	}
	_, rest, _ := bytes.Cut(out[at:], []byte("\n"))
	for line := range strings.SplitSeq(string(rest), "\n") {
		if line == "" || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		m := exceptionLine.FindStringSubmatch(line)
		if m == nil {
			break
		}
		kind = m[1][strings.LastIndexByte(m[1], '.')+1:]
		if mod := missingModule.FindStringSubmatch(line); mod != nil && (kind == "ModuleNotFoundError" || kind == "ImportError") {
			module = mod[1]
		}
		break
	}
	return kind[:min(len(kind), 100)], module
}

// report tells the server how a ClientApp failed; a server that is away is tried for a minute.
func (n *node) report(ctx context.Context, e appExit) {
	for wait := time.Second; wait < time.Minute; wait *= 2 {
		err := n.j.srv.call(ctx, n.conn.client(), http.MethodPost, "/api/v1/agent/exits", e, n.signed, nil)
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
