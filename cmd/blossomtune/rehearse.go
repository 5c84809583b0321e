package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"blossomtune/apps"
	"blossomtune/internal/agent"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
)

type rehearseCmd struct {
	whichFlags
	App       string        `help:"SHA-256 of an app version on this machine, or at least its first 16 digits. Default: the version that you approved last, or else the one that ran here last." placeholder:"HASH" xor:"app"`
	FAB       string        `help:"Rehearse the app in this file (a FAB, made by flwr build)." name:"fab" placeholder:"FILE" type:"existingfile" xor:"app"`
	Data      []string      `help:"Folder with data that the app may read, as with join. Repeat it for several." type:"path" placeholder:"DIR"`
	Deps      string        `help:"May the app install the Python packages that it names on this machine?" enum:"never,ask,allow" default:"ask"`
	Contain   string        `help:"off: the app runs without a sandbox." enum:"on,off" default:"on"`
	AppUIDs   string        `help:"User IDs that the app runs under when this command runs as root, as with join." name:"app-uids" default:"60706-61182"`
	Timeout   time.Duration `help:"End the round after this time." default:"10m"`
	JSON      bool          `help:"Print JSON."`
	Python    string        `help:"Python 3.11 or newer to make the environment with. Default: the newest found on PATH." env:"BLOSSOMTUNE_PYTHON"`
	PythonDir string        `help:"Directory of the Python environments." name:"python-dir" type:"path" hidden:""`
}

// Run rehearses one round and prints what would leave this machine. Progress goes to standard error.
func (c *rehearseCmd) Run(ctx context.Context) error {
	keeper.Conceal()
	keeper.Adopt()
	ids, err := domain.ParseUIDRange(c.AppUIDs)
	if err != nil {
		return err
	}
	r, err := agent.Rehearse(ctx, agent.Options{AppUIDs: ids, URL: c.URL, Dir: c.Dir, Deps: agent.Deps(c.Deps), Python: c.Python,
		PythonDir:    c.PythonDir,
		Requirements: apps.Requirements, Uncontained: c.Contain == "off", Data: c.Data, Version: versionOf(), In: os.Stdin, Out: os.Stderr},
		agent.RehearsalOptions{App: c.App, File: c.FAB, Timeout: c.Timeout})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(r)
	} else {
		err = printRehearsal(os.Stdout, r)
	}
	if err == nil && !r.Complete {
		err = withExit{errQuiet, 1}
	}
	return err
}

func printRehearsal(w io.Writer, r *agent.Rehearsal) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s %s\n  %s\n", r.App, r.Version, r.FAB)
	if r.Refused != "" {
		fmt.Fprintf(out, "  In a real run it would not run here: %s. It was rehearsed without access to web servers.\n", r.Refused)
	}
	if r.Web {
		fmt.Fprintln(out, "  As in a real run, the app could use the network directly. What it sends that way is not listed here.")
	}
	for _, key := range configKeys(r.Config) {
		fmt.Fprintf(out, "  Rehearsed with %s = %v.\n", key, r.Config[key])
	}
	if r.SuperNodes > 1 {
		fmt.Fprintf(out, "  The ServerApp waited for more participants, so it was shown %d. Their replies were copies of this machine's.\n",
			r.SuperNodes)
	}
	fmt.Fprintln(out)
	for _, reply := range r.Replies {
		printReply(out, reply)
	}
	if len(r.Replies) == 0 {
		fmt.Fprintln(out, "The ServerApp asked this machine for nothing.")
	}
	fmt.Fprintf(out, "ServerApp: %s.\n", strings.TrimSuffix(printable(r.ServerApp), "."))
	for _, line := range r.Output {
		fmt.Fprintf(out, "  %s\n", printable(line))
	}
	fmt.Fprintf(out, "One round would send %s from this machine to %s. Nothing was sent to the server.\n", size(r.Bytes), r.Federation)
	return out.Flush()
}

func configKeys(config map[string]any) []string {
	keys := make([]string, 0, len(config))
	for k := range config {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func printReply(out *bufio.Writer, r agent.RehearsedReply) {
	title := printable(r.Type)
	if r.Round != "" {
		title += ", round " + printable(r.Round)
	}
	if r.Error != "" {
		fmt.Fprintf(out, "%s: no result. %s\n\n", title, printable(r.Error))
		return
	}
	fmt.Fprintf(out, "%s: %d objects, %s\n", title, r.Objects, size(r.Bytes))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  NAME\tKIND\tSHAPE\tBYTES")
	for _, rec := range r.Records {
		fmt.Fprintf(t, "  %s\t%s\t\t%d\n", printable(rec.Name), rec.Kind, rec.Bytes)
		for _, a := range rec.Arrays {
			fmt.Fprintf(t, "    %s\t%s\t%s\t%d\n", printable(a.Name), printable(a.DType), shapeOf(a), a.Bytes)
		}
	}
	_ = t.Flush() // its writer keeps the error
	fmt.Fprintln(out)
}

func shapeOf(a ledger.Array) string {
	dims := make([]string, len(a.Shape))
	for i, n := range a.Shape {
		dims[i] = strconv.FormatInt(n, 10)
	}
	return "[" + strings.Join(dims, " ") + "]"
}
