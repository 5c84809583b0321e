//go:build !participant

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"blossomtune/internal/demo"
	"blossomtune/internal/domain"

	"github.com/mattn/go-isatty"
)

// exitInterrupted is the exit code of a command that Ctrl-C ended, as shells have it.
const exitInterrupted = 130

type appTryCmd struct {
	Source       string            `arg:"" optional:"" help:"An app's folder, a zip of it, or a FAB." default:"." type:"path"`
	Participants int               `help:"How many participants take part; each has one partition." default:"2" short:"n"`
	Rounds       int               `help:"Rounds of the run. 0: as in the app." default:"0"`
	Config       map[string]string `help:"A value of the run config. Repeat it for several." placeholder:"KEY=VALUE"`
	Data         []string          `help:"Folder with data that the ClientApps may read, as with join. Repeat it for several." type:"path" placeholder:"DIR"`
	Deps         string            `help:"May the app install the Python packages that it names?" enum:"never,allow" default:"allow"`
	Contain      string            `help:"off: ClientApps run without a sandbox." enum:"on,off" default:"on"`
	Keep         string            `help:"Use this folder for the federation, and keep it with the run's files and logs. It must be empty. Default: a temporary one." type:"path" placeholder:"DIR"`
	pythonFlags
}

// Run tries an app.
func (c *appTryCmd) Run(ctx context.Context, t *terminal) (err error) {
	if c.Participants < 1 || c.Participants > demo.MaxSites || c.Rounds < 0 {
		return domain.Errorf(domain.Invalid, "The number of participants or rounds is not valid.").
			Fix("Set --participants to 1 to %d, and --rounds to 0 or more.", demo.MaxSites)
	}
	// A closed terminal or pipe would end this process alone and leave the keeper, which is made to outlive its server.
	ctx, stop := signal.NotifyContext(ctx, endings()...)
	defer stop()
	heard := make(chan os.Signal, 1) // that nobody reads: a cut connection raises SIGPIPE too, so only failed output ends a trial
	signal.Notify(heard, syscall.SIGPIPE)
	defer signal.Stop(heard)
	app, _, err := appFile(c.Source)
	if err != nil {
		return err
	}
	dir, done, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { err = triedIn(ctx, dir, err, done) }()
	python, err := c.dir()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f, isFile := t.Out.(*os.File)
	o := demo.Options{Data: dir, Out: &output{t.Out, stop}, Terminal: isFile && isatty.IsTerminal(f.Fd()), Self: self, Version: versionOf()}
	return demo.Try(ctx, demo.TryOptions{Options: o, App: app, Python: c.Python, PythonDir: python, Sites: c.Participants, Rounds: c.Rounds,
		Config: c.Config, Install: c.Deps == "allow", Folders: c.Data, Uncontained: c.Contain == "off"})
}

// output ends a trial whose output nobody takes any more.
type output struct {
	io.Writer
	end context.CancelFunc
}

// Write implements io.Writer.
func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if err != nil {
		o.end()
	}
	return n, err
}

// endings are the signals that end a trial. A process under nohup does not heed the end of its terminal.
func endings() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return []os.Signal{os.Interrupt}
	}
	return []os.Signal{os.Interrupt, syscall.SIGHUP}
}

// triedIn returns the error of a trial that ended with err: quiet where everything was said. It removes the folder with done, unless
// something may still run in it.
func triedIn(ctx context.Context, dir string, err error, done func() error) error {
	var left demo.NotStopped
	var trouble *domain.Error
	if errors.As(err, &left) {
		trouble = domain.Errorf(domain.Internal, "Something that the trial started may still run.").
			Fix("Look at the processes of this user, end them, then remove %s.", dir).Because(left)
	} else if e := done(); e != nil {
		trouble = domain.Errorf(domain.Internal, "The folder %s cannot be removed.", dir).Fix("Remove it.").Because(e)
	}
	quiet := errQuiet
	if trouble != nil {
		quiet = trouble
	}
	switch {
	case errors.Is(err, demo.ErrFailed):
		return withExit{quiet, exitRun}
	case err != nil && ctx.Err() != nil:
		return withExit{quiet, exitInterrupted}
	case trouble == nil:
		return err
	case err != nil: // only one error of those returned is shown
		complain(err)
	}
	return trouble
}

// folder returns the folder of the federation; done removes a temporary one.
func (c *appTryCmd) folder() (dir string, done func() error, err error) {
	if c.Keep == "" {
		dir, err = os.MkdirTemp("", "blossomtune-try-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if err := os.MkdirAll(c.Keep, 0o700); err != nil {
		return "", nil, err
	}
	if entries, err := os.ReadDir(c.Keep); err != nil || len(entries) > 0 {
		return "", nil, domain.Errorf(domain.Conflict, "%s is not empty.", c.Keep).Fix("Name another folder with --keep.").Because(err)
	}
	dir, err = filepath.Abs(c.Keep)
	return dir, func() error { return nil }, err
}
