//go:build !participant

package main

import (
	"context"
	"os"
	"path/filepath"

	"blossomtune/internal/demo"

	"github.com/mattn/go-isatty"
)

type demoCmd struct {
	Exit   bool   `help:"End when the run has ended, with status 0 if it completed."`
	Data   string `help:"Directory of the demo's server and participants." default:"blossomtune-demo" type:"path"`
	Engine string `help:"SuperLink implementation: builtin (part of this program) or flower (Flower's own process)." default:"builtin" enum:"builtin,flower" env:"BLOSSOMTUNE_ENGINE"`
	Listen string `help:"Address and port; if it is taken, another port is used." default:"127.0.0.1:8443"`
}

// Run shows the demo.
func (c *demoCmd) Run(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return err
	}
	return demo.Run(ctx,
		demo.Options{Data: data, Listen: c.Listen, Engine: c.Engine, Exit: c.Exit, Out: os.Stdout, Terminal: isatty.IsTerminal(os.Stdout.Fd()),
			Self: self, Version: versionOf()})
}
