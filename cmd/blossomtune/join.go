package main

import (
	"context"
	"os"

	"blossomtune/apps"
	"blossomtune/internal/agent"
)

type joinCmd struct {
	URL       string `arg:"" help:"Address of the server, as on your status page."`
	Token     string `help:"Join token of your status page; - reads it from standard input. Not needed once this machine is enrolled." env:"BLOSSOMTUNE_JOIN_TOKEN"`
	Dir       string `help:"Directory for this machine's key, state and log. Default: below ~/.blossomtune." type:"path"`
	Deps      string `help:"May apps install the Python packages they name on this machine? ask asks once at the start." enum:"never,ask,allow" default:"ask"`
	Python    string `help:"Python 3.11 or newer to make the environment with. Default: the newest found on PATH." env:"BLOSSOMTUNE_PYTHON"`
	PythonDir string `help:"Directory of the Python environments." name:"python-dir" type:"path" hidden:""`
	Share     bool   `help:"When an app fails on this machine, send its last 20 lines to the federation's managers. They may hold your data; without this only the kind of the error goes out." name:"share-output"`
	NodePort  int    `help:"Port of the SuperNode on this machine; 0 takes a free one." name:"node-port"`
}

// Run joins, and keeps the SuperNode running until it is told to stop.
func (c *joinCmd) Run(ctx context.Context) error {
	return agent.Join(ctx, agent.Options{URL: c.URL, Token: c.Token, Dir: c.Dir, Deps: agent.Deps(c.Deps), Python: c.Python, PythonDir: c.PythonDir, Requirements: apps.Requirements,
		NodePort: c.NodePort, ShareOutput: c.Share, Version: versionOf(), In: os.Stdin, Out: os.Stdout})
}
