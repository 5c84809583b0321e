//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"

	"blossomtune/apps"
	"blossomtune/internal/agent"
	"blossomtune/internal/appcheck"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
)

// pythonFlags say which Python environment a command uses that needs no server.
type pythonFlags struct {
	Python    string `help:"Python 3.11 or newer to make the environment with. Default: the newest found on PATH." env:"BLOSSOMTUNE_PYTHON"`
	PythonDir string `help:"Directory of the Python environments." name:"python-dir" type:"path" hidden:""`
}

// dir returns the directory of the Python environments. By default, it is that of this user's agents.
func (f pythonFlags) dir() (string, error) {
	if f.PythonDir != "" {
		return f.PythonDir, nil
	}
	return agent.DefaultPythonDir()
}

// environment makes or finds the environment with the pinned flwr. Progress goes to w.
func (f pythonFlags) environment(ctx context.Context, w io.Writer) (python.Env, error) {
	dir, err := f.dir()
	if err != nil {
		return python.Env{}, err
	}
	return python.Ensure(ctx, python.Options{Dir: dir, Python: f.Python, Requirements: apps.Requirements,
		Progress: func(line string) { fmt.Fprintln(w, line) }})
}

type appCheckCmd struct {
	Source  string `arg:"" optional:"" help:"An app's folder, a zip of it, or a FAB." default:"." type:"path"`
	Offline bool   `help:"Do not resolve the app's dependencies, which needs a package index."`
	Output  string `help:"table for people, json for scripts." enum:"table,json" default:"table" short:"o"`
	pythonFlags
}

// Run checks an app and prints the findings. Its exit codes are those of doctor.
func (c *appCheckCmd) Run(ctx context.Context, t *terminal) error {
	keeper.Conceal()
	file, _, err := appFile(c.Source)
	if err != nil {
		return err
	}
	env, err := c.environment(ctx, t.Err)
	if err != nil {
		return err
	}
	r, err := appcheck.Check(ctx, appcheck.Options{Env: env, App: file, Offline: c.Offline})
	if err != nil {
		return err
	}
	err = (&remote{terminal: *t, asJSON: c.Output == "json"}).show(r, func(w io.Writer) {
		title := c.Source
		if r.App != "" {
			title = fmt.Sprintf("%s %s, FAB %s", r.App, r.Version, r.Hash)
		}
		printFindings(w, title, r.Findings)
	})
	if err != nil {
		return err
	}
	return exitOf(r.Findings)
}
