package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/agent/approval"
	"blossomtune/internal/catalog"
)

type appsCmd struct {
	List    appsListCmd    `cmd:"" default:"withargs" help:"List the app versions that wait for your approval, and those that you decided about."`
	Show    appsShowCmd    `cmd:"" help:"Print what an app version changes against the one of the same app that you approved last, or all its sources."`
	Approve appsApproveCmd `cmd:"" help:"Let an app version run on this machine."`
	Reject  appsRejectCmd  `cmd:"" help:"Keep an app version from running on this machine."`
}

type appsListCmd struct {
	whichFlags
	JSON bool `help:"Print JSON."`
}

// listedApp is an app version as it is listed.
type listedApp struct {
	agent.AppVersion
	Reaches []string      `json:"reaches"` // modules that it imports and that reach the network, other programs or files
	Against string        `json:"against"` // the version that was approved last; empty: all of it is new
	Files   []changedFile `json:"files"`
}

type changedFile struct {
	Path    string         `json:"path"`
	Change  catalog.Change `json:"change"`
	Added   int            `json:"added"`
	Removed int            `json:"removed"`
}

// Run lists app versions.
func (c *appsListCmd) Run() error {
	m, err := agent.OneMachine(c.Dir, c.URL)
	if err != nil {
		return err
	}
	policy, policyErr := m.Policy()
	all, err := m.Apps()
	if err != nil {
		return err
	}
	out := make([]listedApp, 0, len(all))
	for _, v := range all {
		a := listedApp{AppVersion: v, Reaches: []string{}, Files: []changedFile{}}
		if v.State == approval.Waiting {
			if a, err = describeApp(m, v); err != nil {
				return err
			}
		}
		out = append(out, a)
	}
	if c.JSON {
		view := map[string]any{"policy": policy, "apps": out}
		if policyErr != nil {
			view["problem"] = policyErr.Error()
		}
		return printJSON(view)
	}
	if policyErr != nil {
		fmt.Printf("No app runs until this is corrected: %v\n", policyErr)
	} else {
		fmt.Printf("%s: app versions run here %s.\n", m.Name, policyWords[policy])
	}
	for _, a := range out {
		a.print()
	}
	if len(out) == 0 {
		fmt.Println("No app version waits.")
	}
	return nil
}

var policyWords = map[approval.Policy]string{
	approval.Any:    "without asking you, within your rules (join --approve ask changes it)",
	approval.Listed: "when your rules list them or you approved them",
	approval.Ask:    "after you approved them",
}

func describeApp(m agent.Machine, v agent.AppVersion) (listedApp, error) {
	a := listedApp{AppVersion: v, Reaches: []string{}, Files: []changedFile{}}
	fab, err := m.FAB(v.FAB)
	if err != nil {
		return a, err
	}
	a.Reaches = append(a.Reaches, approval.Reaches(fab)...)
	d, against, err := diffOf(m, v, fab)
	a.Against = against
	for _, f := range d.Files {
		a.Files = append(a.Files, changedFile{Path: f.Path, Change: f.Change, Added: f.Added, Removed: f.Removed})
	}
	return a, err
}

// diffOf compares a version with the one of the same app that was approved last.
func diffOf(m agent.Machine, v agent.AppVersion, fab []byte) (d catalog.Diff, against string, err error) {
	var older []byte
	if last, ok := m.Last(v); ok {
		if older, err = m.FAB(last.FAB); err == nil {
			against = last.FAB
		}
	}
	d, err = catalog.Compare(older, fab)
	return d, against, err
}

func (a listedApp) print() {
	fmt.Printf("\n%s  %s %s\n  %s\n", strings.ToUpper(string(a.State)), a.App, a.Version.Version, a.FAB)
	if a.State != approval.Waiting {
		fmt.Printf("  since %s\n", a.At)
		return
	}
	fmt.Printf("  first seen %s; held back by the rule %q\n", a.At, a.Rule)
	deps := "only Flower"
	if len(a.Dependencies) > 0 {
		deps = strings.Join(a.Dependencies, ", ")
		if a.Installs {
			deps += " (it may install them here)"
		} else {
			deps += " (they must be here already)"
		}
	}
	fmt.Printf("  needs   %s\n", deps)
	if len(a.Reaches) > 0 {
		fmt.Printf("  reaches its sources import %s; a program can hide more\n", strings.Join(a.Reaches, ", "))
	}
	if a.Against != "" {
		fmt.Printf("  differs from the version that you approved last, %.16s:\n", a.Against)
	} else {
		fmt.Println("  no version of this app was approved here before; its files:")
	}
	for _, f := range a.Files {
		fmt.Printf("    %-8s %s (+%d −%d lines)\n", f.Change, f.Path, f.Added, f.Removed)
	}
	fmt.Printf("  read    blossomtune apps show %.16s\n  decide  blossomtune apps approve %.16s   or   apps reject %.16s\n", a.FAB, a.FAB,
		a.FAB)
}

// hashFlags name an app version.
type hashFlags struct {
	Hash string `arg:"" help:"SHA-256 of the app version, or at least its first 16 digits."`
	URL  string `help:"Address of the server; needed where this machine is enrolled at several." name:"server"`
	Dir  string `help:"Directory of this machine's key, state and approvals. Default: below ~/.blossomtune." type:"path"`
}

func (c hashFlags) find() (agent.Machine, agent.AppVersion, error) {
	m, err := agent.OneMachine(c.Dir, c.URL)
	if err != nil {
		return m, agent.AppVersion{}, err
	}
	v, err := m.FindApp(c.Hash)
	return m, v, err
}

type appsShowCmd struct {
	hashFlags
}

// Run prints the sources of an app version, as a comparison with the version that was approved last.
func (c *appsShowCmd) Run() error {
	m, v, err := c.find()
	if err != nil {
		return err
	}
	fab, err := m.FAB(v.FAB)
	if err != nil {
		return err
	}
	d, against, err := diffOf(m, v, fab)
	if err != nil {
		return err
	}
	if against != "" {
		fmt.Printf("%s %s against %.16s, which you approved last; %d files are the same.\n", v.App, v.Version.Version, against, d.Same)
	}
	for _, f := range d.Files {
		fmt.Printf("\n=== %s (%s)\n", printable(f.Path), f.Change)
		if f.Binary || f.Large {
			fmt.Printf("%d bytes, not shown\n", f.NewSize)
		}
		for _, p := range f.Parts {
			if p.Folded {
				fmt.Printf("… %d lines are the same\n", len(p.Lines))
				continue
			}
			for _, l := range p.Lines {
				fmt.Printf("%c%s\n", l.Op, l.Text)
			}
		}
	}
	if d.Cut {
		fmt.Println("\nMore differs than is shown here.")
	}
	return nil
}

// printable keeps a text that an app chose from changing the terminal.
func printable(s string) string {
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}

type appsApproveCmd struct {
	hashFlags
}

// Run approves an app version.
func (c *appsApproveCmd) Run() error {
	m, v, err := c.find()
	if err == nil {
		err = m.Decide(v, approval.Approved, time.Now)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s %s runs here from its next message on: exactly the version %s, in %s.\n", v.App, v.Version.Version, v.FAB, m.Name)
	return nil
}

type appsRejectCmd struct {
	hashFlags
}

// Run rejects an app version.
func (c *appsRejectCmd) Run() error {
	m, v, err := c.find()
	if err == nil {
		err = m.Decide(v, approval.Rejected, time.Now)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s %s does not run here: its messages are answered with an error.\n", v.App, v.Version.Version)
	return nil
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return errors.Join(errors.New("writing JSON"), err)
	}
	return nil
}
