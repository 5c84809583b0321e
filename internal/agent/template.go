package agent

import (
	"errors"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
)

func (h home) templateFile() string { return h.file("clientapps.py") }
func (h home) templateLog() string  { return h.file("clientapps.log") }

// appLog bounds what is kept of a run's ClientApps.
var appLog = logfile.Keep{Max: 10 << 20, Old: 1}

// prepare starts a Python that has imported Flower: to import it takes a second of a core, and without this each message of each
// round would wait for it. Where it cannot be, ClientApps are started one by one.
func (c *clientApps) prepare() {
	h := c.n.h
	if err := writeFile(h.templateFile(), python.ClientAppTemplate, 0o600); err != nil {
		c.n.j.say("ClientApps are started one by one: %v", err)
		return
	}
	t, err := keeper.StartTemplate(keeper.Command{
		Path: c.n.env.Bin("python"), Args: []string{h.templateFile()}, Dir: h.file("work"), Env: c.n.env.Environ(h.file("flwr_home")),
		LogFile: h.templateLog(), Log: appLog, DieWithParent: true,
	})
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			c.n.j.say("ClientApps are started one by one: %v", err)
		}
		return
	}
	c.templateMu.Lock()
	c.template = t
	c.templateMu.Unlock()
}

// start starts a ClientApp: of the template, or without one by its own program.
func (c *clientApps) start(args []string, log string) (*keeper.Child, error) {
	c.templateMu.Lock()
	t := c.template
	c.templateMu.Unlock()
	if t != nil && !t.Ended() {
		child, err := t.Start(keeper.Fork{Args: args, Dir: c.n.h.file("work"), LogFile: log, Log: appLog})
		if err == nil {
			return child, nil
		}
		c.n.j.say("ClientApps are started one by one from now on: %v. See %s.", err, c.n.h.templateLog())
		c.endTemplate()
	}
	path, args, err := c.n.env.AppCommand(c.n.h.file("runs"), python.ClientApp, args)
	if err != nil {
		return nil, err
	}
	return keeper.Start(keeper.Command{
		Path: path, Args: args, Dir: c.n.h.file("work"), Env: c.n.env.Environ(c.n.h.file("flwr_home")),
		LogFile: log, Log: appLog, DieWithParent: true,
	})
}

func (c *clientApps) endTemplate() {
	c.templateMu.Lock()
	defer c.templateMu.Unlock()
	if c.template != nil {
		c.template.Stop(stopGrace)
		c.template = nil
	}
}
