//go:build !participant

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/config"
	"blossomtune/internal/doctor"
	"blossomtune/internal/domain"

	"github.com/alecthomas/kong"
)

// doctorGroup are the commands of doctor. Checking is the default.
type doctorGroup struct {
	Check  doctorCmd       `cmd:"" default:"withargs" help:"${doctor_help} This is the default."`
	Bundle doctorBundleCmd `cmd:"" help:"Write findings, versions, settings and the ends of logs to FILE, a ZIP archive without secrets, to send to those who help."`
}

type doctorBundleCmd struct {
	File string `arg:"" help:"The archive to write, such as diagnosis.zip. It must not exist."`
	config.Config
	Dir string `help:"Directory of this machine's key, state and ledger. Default: below ~/.blossomtune." type:"path"`
}

// Run writes the bundle. Problems that are found do not make it fail.
func (c *doctorBundleCmd) Run(ctx context.Context, k *kong.Context) error {
	if err := settle(&c.Config, k); err != nil {
		return err
	}
	places := []place{{"server in " + c.Data, doctor.Server(ctx, c.Config, time.Now)}}
	b := doctor.Bundle{Config: c.Config, Version: versionOf(), Clock: time.Now}
	if joined, err := agent.Machines(c.Dir, ""); err == nil { // a machine that joined nothing has nothing to add
		for _, m := range joined {
			b.Logs = append(b.Logs, filepath.Join(m.Dir, "supernode.log"))
		}
		flags := machineFlags{Dir: c.Dir}
		machines, err := flags.places(ctx)
		if err != nil {
			return err
		}
		places = append(places, machines...)
	}
	b.Findings = places
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return domain.Errorf(domain.Invalid, "%s cannot be created.",
			c.File).Fix("Choose a file that does not exist, in a folder that you can write to.").Because(err)
	}
	if err := b.Write(ctx, f); err != nil {
		f.Close()
		_ = os.Remove(c.File)
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: findings, versions, settings and the ends of logs. Passwords, tokens, keys and e-mail addresses are replaced.\n", c.File)
	return nil
}
