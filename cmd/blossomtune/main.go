// Command blossomtune runs federations of Flower: the server, the participant's agent, and a demo of both.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"blossomtune/internal/domain"

	"github.com/alecthomas/kong"
)

// version is set at release; otherwise it is that of the source tree.
var version = ""

// participantCommands are the commands for a participant's machine. They are in both programs: the whole one, and the smaller one that is
// built with the tag participant (commands_participant.go).
type participantCommands struct {
	Join     joinCmd     `cmd:"" op:"enrol,agent-about,agent-config,agent-report,agent-log,agent-apps,agent-exit,rotate-key,ask-device,poll-device" help:"Join a federation with this machine."`
	Leave    leaveCmd    `cmd:"" op:"agent-leave" help:"Undo join on this machine: the service, the key here and at the server, every file."`
	Status   statusCmd   `cmd:"" help:"Tell how this machine's agents are. Exit codes: 0 connected, 3 running but not connected, 4 not running."`
	Doctor   doctorGroup `cmd:"" help:"${doctor_help} Changes nothing. Exit codes: 0 no problems, 3 warnings, 4 failures."`
	Apps     appsCmd     `cmd:"" help:"Decide which app versions run on this machine."`
	Rehearse rehearseCmd `cmd:"" help:"Run one round of an app version on this machine and show what would leave it. Nothing is sent to the server. Exit code 1: a message had no result."`
	Ledger   ledgerCmd   `cmd:"" help:"Show what left this machine, and check it. Exit code 6: the ledger was changed or does not agree with the receipt."`
	Verify   verifyCmd   `cmd:"" help:"Check offline that a file is the one of which a run's receipt tells. Exit codes: 0 it is, 3 the receipt was changed, 4 another key signed it, 5 the file is not in it."`
	Update   updateCmd   `cmd:"" op:"list-programs" help:"Replace this program by the version that this machine's server hands out. The SuperNode continues, and switches to it between runs."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser := newParser(ctx, &c, os.Stdin, os.Stdout, os.Stderr)
	k, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := k.Run(); err != nil {
		complain(err)
		stop()
		os.Exit(exitCodeOf(k, err))
	}
}

// newParser returns the command line, which commands are then parsed with and run.
func newParser(ctx context.Context, c *cli, in io.Reader, out, errOut io.Writer) *kong.Kong {
	return kong.Must(c, kong.Name("blossomtune"), kong.Description(description), kong.UsageOnError(), kong.Vars{"doctor_help": doctorHelp},
		kong.Writers(out, errOut), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&terminal{in, out, errOut}))
}

// exitCodeOf is the exit code of a command's error.
func exitCodeOf(k *kong.Context, err error) int {
	if n := k.Selected(); n != nil && n.Target.CanAddr() {
		if _, calls := n.Target.Addr().Interface().(interface{ apiCommand() }); calls {
			return apiExitCode(err)
		}
	}
	return exitCode(err)
}

// exitCode is 2 where a new start changes nothing: the server does not let this machine in. A service does not start again then.
func exitCode(err error) int {
	var own withExit
	if errors.As(err, &own) {
		return own.code
	}
	if domain.CodeOf(err) == domain.Forbidden {
		return 2
	}
	return 1
}

// complain writes an error as cause and remedy.
func complain(err error) {
	if errors.Is(err, errQuiet) {
		return
	}
	var several domain.Errors
	if errors.As(err, &several) && len(several) > 1 {
		for _, e := range several {
			complain(e)
		}
		return
	}
	var e *domain.Error
	if !errors.As(err, &e) {
		fmt.Fprintln(os.Stderr, "blossomtune:", err)
		return
	}
	fmt.Fprintln(os.Stderr, "blossomtune:", e.Message)
	if e.Remedy != "" {
		fmt.Fprintln(os.Stderr, "  →", e.Remedy)
	}
	if e.Err != nil {
		fmt.Fprintln(os.Stderr, "  because:", e.Err)
	}
}

// versionOf returns the release's version, or the one that Go makes of the commit: it sorts by the commit's time.
func versionOf() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version[1:]
	}
	return "dev"
}

// terminal is where a command reads and writes.
type terminal struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exit codes of the commands that call a server's API, in addition to 0 and 1. Access denied is 2, as for every command.
const (
	exitSignIn   = 7  // no token, or one that is not valid
	exitNotFound = 8  // the server has no such thing, or not for this token
	exitConflict = 9  // the state of things does not allow it
	exitAway     = 10 // the server did not answer, or cannot do it now
	exitRun      = 11 // the run that was waited for did not complete
)

// apiExitCode is the exit code of an error of a command that calls the API.
func apiExitCode(err error) int {
	var own withExit
	if errors.As(err, &own) {
		return own.code
	}
	switch domain.CodeOf(err) {
	case domain.Forbidden:
		return 2
	case domain.Unauthenticated, domain.Expired:
		return exitSignIn
	case domain.NotFound:
		return exitNotFound
	case domain.Conflict:
		return exitConflict
	case domain.Unavailable, domain.Limited:
		return exitAway
	}
	return 1
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("blossomtune", versionOf())
	return nil
}
