//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logmask"
	"blossomtune/internal/server"
	"blossomtune/internal/site"

	"github.com/alecthomas/kong"
)

type serveCmd struct {
	config.Config
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, k *kong.Context) error {
	keeper.Conceal() // its environment can hold passwords
	if err := settle(&c.Config, k); err != nil {
		return err
	}
	log := newLogger(c.LogLevel, c.LogFormat)
	a, err := server.New(ctx, server.Options{Config: c.Config, Version: versionOf(), Log: log,
		Progress: func(line string) { fmt.Fprintln(os.Stderr, "  python:", line) }})
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return stopAfter(ctx, a, c.Config, err)
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		select {
		case <-a.Failed():
			end()
		case <-ctx.Done():
		}
	}()
	fmt.Fprintln(os.Stderr, "BlossomTune is at", a.PublicURL())
	link, err := a.SetupLink(context.WithoutCancel(ctx)) // a signal meanwhile is no error
	if err != nil {
		return stopAfter(ctx, a, c.Config, err)
	}
	setup{os.Stderr, link, a.Prepared(), a.Accounts.SetupOpen}.show(ctx)
	<-ctx.Done()
	return stopAfter(ctx, a, c.Config, a.Failure())
}

// setupWait is how long the link for the first admin is held back for what else is printed at a start.
const setupWait = 3 * time.Second

// setup is what showing the link for the first admin needs.
type setup struct {
	out      io.Writer
	link     string // "" when there is an admin
	prepared <-chan struct{}
	open     func(context.Context) (bool, error) // whether it is still needed
}

// show prints the link as the last thing of a start. When Python takes long to prepare, the link is there before, and once more
// after it, if it is still needed.
func (s setup) show(ctx context.Context) {
	if s.link == "" {
		return
	}
	write := func() {
		fmt.Fprintf(s.out, "\nOpen this link once, within a day, to become the first admin:\n\n    %s\n\n", s.link)
	}
	select {
	case <-s.prepared:
		write()
		return
	case <-time.After(setupWait):
		write()
	case <-ctx.Done():
		return
	}
	select {
	case <-s.prepared:
		if open, err := s.open(ctx); err == nil && open {
			write()
		}
	case <-ctx.Done():
	}
}

// settle brings the settings together: flags before the environment, that before the file, that before what a Space injects.
func settle(c *config.Config, k *kong.Context) error {
	if err := c.LoadFile(givenTo(k)); err != nil {
		return err
	}
	c.InSpace(os.Getenv)
	return c.Resolve()
}

// givenTo tells which settings the command line or the environment gives.
func givenTo(k *kong.Context) func(flag, env string) bool {
	given := map[string]bool{}
	for _, p := range k.Path {
		if p.Flag != nil {
			given[p.Flag.Name] = true
		}
	}
	return func(flag, env string) bool {
		_, set := os.LookupEnv(env)
		return set || given[flag]
	}
}

// stopAfter stops the server and returns the first thing that went wrong.
func stopAfter(ctx context.Context, a *server.Server, c config.Config, err error) error {
	wait := c.StopWait
	if c.StopEngines {
		wait += engineWait
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	if stopErr := a.Stop(ctx, c.StopEngines); err == nil {
		return stopErr
	}
	return err
}

func newLogger(level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the flag's enum allows levels only
	o := &slog.HandlerOptions{Level: l}
	out := logmask.NewWriter(os.Stderr)
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, o))
	}
	return slog.New(slog.NewTextHandler(out, o))
}

type configCmd struct {
	config.Config
}

// Run prints the settings as an environment file, and what the configuration file says of the site.
func (c *configCmd) Run(k *kong.Context) error {
	if err := settle(&c.Config, k); err != nil {
		return err
	}
	for _, s := range c.Settings() {
		from := ""
		if s.From != "" {
			from = " (" + s.From + ")"
		}
		fmt.Printf("# %s%s\n%s=%s\n", s.Help, from, s.Env, s.Value)
	}
	for _, f := range site.Fields() {
		if g, given := c.Site[f.Key]; given {
			fmt.Printf("# site.%s (%s)\n#   %s\n", f.Key, g.From, site.Brief(g.Value))
		}
	}
	return nil
}

// databaseOf returns the database's address for commands that need nothing else of the configuration.
func databaseOf(data, database string) (string, string, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return "", "", err
	}
	if strings.TrimSpace(database) == "" {
		database = "sqlite:" + filepath.Join(data, "blossomtune.db")
	}
	return data, database, config.CheckDatabase(database)
}
