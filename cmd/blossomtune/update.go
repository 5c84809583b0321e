package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/domain"
)

type updateCmd struct {
	whichFlags
	Downgrade bool `help:"Take the server's program also when it is older." xor:"how"`
	Rollback  bool `help:"Put the program back that the last update replaced." xor:"how"`
}

// Run replaces this program by the one that the server hands out.
func (c *updateCmd) Run(ctx context.Context) error {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return err
	}
	if c.Rollback {
		version, err := agent.RollBack(ctx, self)
		if err == nil {
			fmt.Printf("%s is version %s again.\n", self, version)
			c.sayWhen()
		}
		return err
	}
	all, err := agent.Machines(c.Dir, c.URL)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Server != all[0].Server {
			return domain.Errorf(domain.Invalid,
				"This machine has joined federations of several servers.").Fix("Name the server that the program comes from: blossomtune update %s",
				m.Server)
		}
	}
	done, err := all[0].Update(ctx, agent.UpdateOptions{Program: self, Version: versionOf(), Downgrade: c.Downgrade, Clock: time.Now})
	switch {
	case err != nil:
		return err
	case done.Old == "":
		fmt.Printf("Version %s is current. Nothing was changed.\n", done.From)
		return nil
	}
	fmt.Printf("Updated from version %s to %s. The earlier program is kept: blossomtune update --rollback puts it back.\n", done.From, done.To)
	c.sayWhen()
	return nil
}

// sayWhen says when running agents start to use the other program.
func (c *updateCmd) sayWhen() {
	all, err := agent.Machines(c.Dir, c.URL)
	if err != nil {
		return
	}
	for _, m := range all {
		switch {
		case !m.Running():
		case runtime.GOOS == "windows":
			fmt.Printf("The SuperNode of %s continues with the earlier program. Restart blossomtune join to use this one.\n", m.Name)
		default:
			fmt.Printf("The SuperNode of %s continues. It switches to this program when the federation has no run.\n", m.Name)
		}
	}
}
