// Package demo is `blossomtune demo` and `app try`: a whole federation on one machine, by the same paths that people use. It starts a
// server, and from then on it is a client of its API: participants ask, enter their mailed code, are approved and run `join`.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
	"blossomtune/internal/server"
)

// Options of a demo.
type Options struct {
	Engine   string // of the federation; see config.Config
	Data     string // its directory; a second start goes on with what is there
	Listen   string // if it is taken, another free port is used
	Exit     bool   // end when the run has ended
	Out      io.Writer
	Terminal bool   // Out is a terminal: redraw lines, use colours
	Self     string // path of our own binary, for the participants' `join`
	Version  string
}

// Partitions is how many partitions the demo's federation has; two of them take part.
const Partitions = 10

const (
	stepLimit = 3 * time.Minute  // for SuperLink, participants and apps to come up
	coldLimit = 15 * time.Minute // for the Python environment
	runLimit  = 10 * time.Minute
	stopLimit = 45 * time.Second
)

// demo is one federation on this machine.
type demo struct {
	o      Options
	fed    client.NewFederation
	sites  []site
	python string   // Python 3.11 or newer; empty: found
	join   []string // further arguments of the participants' `join`
	s      *screen
	app    *server.Server
	admin  *client.Client
	joined []*keeper.Child
}

// Run shows the demo until ctx ends, or with Exit until its run has ended; then nothing that it started is left. It returns an
// error unless the run completed; ctx ending earlier is no error.
func Run(ctx context.Context, o Options) (err error) {
	d := newDemo(o, client.NewFederation{Slug: "demo", Name: "Demo", Partitions: Partitions,
		Description: "Handwritten digits, learned together by sites that keep their data."}, sites)
	d.join = []string{"--deps", "allow"}
	defer func() {
		if ctx.Err() != nil {
			err = nil
		}
		err = errors.Join(err, d.stop(ctx))
	}()
	d.s.line("%s", d.s.paint(bold, "BlossomTune demo")+": a federation on this machine, over real Flower")
	began := time.Now()
	if err := d.show(ctx); err != nil {
		d.s.failed()
		return err
	}
	d.s.line("  From nothing to a trained model in %.0f s.", time.Since(began).Seconds())
	if o.Exit {
		return nil
	}
	if err := d.invite(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func newDemo(o Options, fed client.NewFederation, sites []site) *demo {
	return &demo{o: o, fed: fed, sites: sites, s: &screen{out: o.Out, terminal: o.Terminal, now: time.Now}}
}

func (d *demo) show(ctx context.Context) error {
	return inTurn(ctx, d.serve, d.engine, d.participants, d.run)
}

// inTurn takes steps until one fails.
func inTurn(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the server, with its Python environment.
func (d *demo) serve(ctx context.Context) error {
	d.s.begin("Preparing Python and Flower")
	a, err := d.start(ctx, d.o.Listen)
	if domain.CodeOf(err) == domain.Unavailable { // somebody else listens there
		a, err = d.start(ctx, "127.0.0.1:0")
	}
	if err != nil {
		return err
	}
	d.app = a
	wait, cancel := context.WithTimeout(ctx, coldLimit)
	defer cancel()
	if err := a.AwaitPython(wait); err != nil {
		return err
	}
	d.s.done("flwr %s", a.FlwrVersion())
	d.s.begin("Server")
	token, err := a.AdminToken(ctx, "demo", 24*time.Hour)
	if err != nil {
		return err
	}
	d.admin = newClient(a.PublicURL(), token)
	d.s.done("%s", a.PublicURL())
	return nil
}

func (d *demo) start(ctx context.Context, listen string) (*server.Server, error) {
	c := config.Config{Data: d.o.Data, Listen: listen, Engine: d.o.Engine, Python: d.python}
	if err := c.Resolve(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(c.Data, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	a, err := server.New(ctx, server.Options{Config: c, Version: d.o.Version, Log: slog.New(slog.NewTextHandler(f, nil)), Progress: d.s.note})
	if err != nil {
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		return nil, errors.Join(err, a.Stop(ctx, false))
	}
	return a, nil
}

// engine makes the federation, if it is not there yet, and starts its SuperLink.
func (d *demo) engine(ctx context.Context) error {
	d.s.begin("SuperLink of the federation %q", d.fed.Slug)
	err := d.admin.Do(ctx, "POST", "/federations", d.fed, nil)
	if err != nil && domain.CodeOf(err) != domain.Conflict {
		return err
	}
	if err := d.admin.Do(ctx, "PUT", "/federations/"+d.fed.Slug+"/superlink", client.SuperLinkChange{State: "up"}, nil); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	var f client.Federation
	err = await(wait, 100*time.Millisecond, func() (bool, error) {
		if err := d.admin.Do(wait, "GET", "/federations/"+d.fed.Slug, nil, &f); err != nil {
			return false, err
		}
		if f.SuperLink.State == string(domain.SuperLinkFailed) {
			return false, fmt.Errorf("the SuperLink did not start: %s", f.SuperLink.Reason)
		}
		return f.SuperLink.State == string(domain.SuperLinkUp), nil
	})
	if err == nil {
		d.s.done("up")
	}
	return err
}

// invite tells what to look at next.
func (d *demo) invite(ctx context.Context) error {
	link, err := d.app.SignInLink(ctx)
	if err != nil {
		return err
	}
	d.s.line("")
	d.s.line("  Open  %s", d.s.paint(bold, link))
	d.s.line("        (signs you in as the admin, once; a new one: blossomtune link --data %s)", d.o.Data)
	d.s.line("")
	d.s.line("  Then  look at the run's charts and log; launch another with a different learning rate;")
	d.s.line("        ask to join as a third site at %s/join/%s", d.app.PublicURL(), d.fed.Slug)
	d.s.line("")
	d.s.line("  Ctrl-C stops everything; the next start resumes where you left off.")
	return nil
}

// stop ends what was started, in the order in which it hurts least.
func (d *demo) stop(ctx context.Context) error {
	for _, c := range d.joined {
		go c.Stop(15 * time.Second)
	}
	for _, c := range d.joined {
		c.Exit()
	}
	if d.app == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	return d.app.Stop(ctx, true)
}
