package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// TryOptions say what [Try] runs.
type TryOptions struct {
	Options            // Listen, Engine and Exit are not used
	App         []byte // a FAB, or a zip of an app's folder
	Python      string // Python 3.11 or newer; empty: found
	PythonDir   string // of the Python environments
	Sites       int    // participants, 1 to [MaxSites]
	Rounds      int    // 0: as in the app
	Config      map[string]string
	Install     bool     // the app may install packages
	Folders     []string // that ClientApps may read
	Uncontained bool     // ClientApps run without a sandbox
}

// MaxSites is the largest number of participants of [Try].
const MaxSites = 20

// roundKeys are the names that apps give to their number of rounds.
var roundKeys = []string{"num-server-rounds", "num_server_rounds", "num-rounds", "num_rounds", "server-rounds", "rounds"}

// ErrFailed is returned by [Try] once it has said why a run did not complete, or that nothing was trained.
var ErrFailed = errors.New("the run failed")

// NotStopped is in the chain of an error of [Try] if something that it started may still run. It is the cause.
type NotStopped struct{ Err error }

func (n NotStopped) Error() string { return n.Err.Error() }

func (n NotStopped) Unwrap() error { return n.Err }

// trial is one app that is tried.
type trial struct {
	*demo
	options TryOptions
	version client.App
	run     client.Run
}

// Try runs an app in a federation of its own on this machine, by the same paths as [Run], and prints its metrics as they come. When it
// returns, nothing that it started is left, unless the error has [NotStopped] in its chain. A run that did not complete is [ErrFailed]; other errors have a cause and a remedy.
// If ctx ends first, Try returns its error.
func Try(ctx context.Context, o TryOptions) (err error) {
	o.Listen, o.Engine = "127.0.0.1:0", "builtin"
	sites := make([]site, o.Sites)
	for i := range sites {
		n := strconv.Itoa(i + 1)
		sites[i] = site{"Site " + n, "site" + n + "@example.org", "site-" + n}
	}
	d := newDemo(o.Options, client.NewFederation{Slug: "try", Name: "Try", Partitions: o.Sites}, sites)
	d.python, d.join = o.Python, o.joinArgs()
	t := &trial{demo: d, options: o}
	defer func() {
		if e := ctx.Err(); e != nil {
			err = e
		}
		if e := d.stop(ctx); e != nil {
			err = errors.Join(err, NotStopped{e})
		}
	}()
	if err := o.linkPython(); err != nil {
		return err
	}
	if err := inTurn(ctx, d.serve, t.add, d.engine, d.participants, t.train); err != nil {
		d.s.failed()
		return err
	}
	return t.result(ctx)
}

func (o TryOptions) joinArgs() []string {
	args := []string{"--deps", "never"}
	if o.Install {
		args = []string{"--deps", "allow"}
	}
	if o.Uncontained {
		args = append(args, "--contain=off")
	}
	for _, f := range o.Folders {
		args = append(args, "--data", f)
	}
	return args
}

// linkPython lets the server use the Python environments that this user has already.
func (o TryOptions) linkPython() error {
	if err := os.MkdirAll(o.PythonDir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the Python environments: %w", err)
	}
	err := os.Symlink(o.PythonDir, filepath.Join(o.Data, "python"))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("linking the folder of the Python environments: %w", err)
	}
	return nil
}

// add builds the app and adds it to the server.
func (t *trial) add(ctx context.Context) error {
	t.s.begin("Adding the app")
	if err := t.admin.Upload(ctx, "/apps?filename=app", t.options.App, &t.version); err != nil {
		return err
	}
	t.s.done("%s %s", t.version.ID, t.version.Version)
	return nil
}

// config is the run config that differs from the app's.
func (t *trial) config() (map[string]client.ConfigValue, error) {
	out := map[string]client.ConfigValue{}
	for k, v := range t.options.Config {
		out[k] = client.ConfigValue(v)
	}
	if t.options.Rounds == 0 {
		return out, nil
	}
	for _, name := range roundKeys {
		for _, k := range t.version.Config {
			if k.Key == name {
				out[name] = client.ConfigValue(strconv.Itoa(t.options.Rounds))
				return out, nil
			}
		}
	}
	return nil, domain.Errorf(domain.Invalid, "The app has no run config key for its number of rounds.").
		Fix("Add num-server-rounds to [tool.flwr.app.config], or set the app's own key with --config instead of --rounds.")
}

// train launches the run and prints what comes.
func (t *trial) train(ctx context.Context) error {
	config, err := t.config()
	if err != nil {
		return err
	}
	t.s.begin("Launching the app")
	if err := t.launch(ctx, client.RunLaunch{App: t.version.Hash, Config: config, InstallDependencies: t.options.Install},
		&t.run); err != nil {
		return err
	}
	t.s.begin("Run %s", t.run.Name)
	if err := t.follow(ctx, &t.run, t.print); err != nil {
		return err
	}
	if t.fine() {
		t.s.done("%s", t.run.State)
	} else {
		t.s.finish(red, "✗", t.run.State)
	}
	return nil
}

// print writes metrics of the whole federation, those of one round and phase on one line.
func (t *trial) print(ms []client.Metric) {
	var head string
	var values []string
	flush := func() {
		if len(values) > 0 {
			t.s.line("      %s  %s", head, strings.Join(values, "  "))
		}
		values = nil
	}
	for _, m := range ms {
		if m.NodeID != 0 {
			continue
		}
		if now := fmt.Sprintf("round %d/%d  %-8s", m.Round, t.run.Rounds, m.Phase); now != head {
			flush()
			head = now
		}
		text := m.Text
		if m.Value != nil {
			text = strconv.FormatFloat(*m.Value, 'g', 6, 64)
		}
		values = append(values, printable(m.Name)+" "+text)
	}
	flush()
}

// fine reports whether the run completed and a participant contributed.
func (t *trial) fine() bool {
	return t.run.State == string(domain.Completed) && t.run.Outcome != string(domain.NothingTrained)
}

// result says why the run did not do what it should, as the run's page does.
func (t *trial) result(ctx context.Context) error {
	r := t.run
	for _, f := range r.Failures {
		t.s.line("  ClientApp, %d times: %s", f.Times, printable(f.Message))
		t.remedy(f.Remedy)
	}
	if t.fine() {
		return nil
	}
	if r.Cause != nil {
		t.s.line("  %s", printable(r.Cause.Message))
		if r.Cause.Line != "" && !strings.Contains(r.Cause.Message, r.Cause.Line) {
			t.s.line("  %s", printable(r.Cause.Line))
		}
		t.remedy(r.Cause.Remedy)
	}
	if err := t.log(ctx); err != nil {
		return err
	}
	return ErrFailed
}

func (t *trial) remedy(text string) {
	if text != "" {
		t.s.line("  → %s", printable(text))
	}
}

// logTail is how many lines of the ServerApp's log are printed after a failure.
const logTail = 20

func (t *trial) log(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var log client.Log
	if err := t.admin.Do(ctx, "GET", client.Path("/runs/%s/log?from=%d", t.run.Name, -logTail), nil, &log); err != nil {
		return err
	}
	if len(log.Lines) > 0 {
		t.s.line("  The end of the ServerApp's log:")
	}
	for _, line := range log.Lines {
		t.s.line("    %s", printable(line.Text))
	}
	return nil
}

// printable makes a text of the app safe for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || strconv.IsPrint(r) {
			return r
		}
		return '�'
	}, s)
}
