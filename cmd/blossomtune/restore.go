//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/domain"

	"github.com/alecthomas/kong"
)

type restoreCmd struct {
	openFlags
	File     string `arg:"" optional:"" help:"The backup." type:"path"`
	Rollback bool   `help:"Undo the newest upgrade instead: put back the database from before it. The server must be stopped."`
	Discard  bool   `help:"With --rollback: also lose the changes that were made since the new version started." name:"discard-changes"`
	onHostFlags
}

// Run restores a backup, or rolls an upgrade back.
func (c *restoreCmd) Run(ctx context.Context, k *kong.Context) error {
	switch {
	case c.Rollback && c.File != "":
		return domain.Errorf(domain.Invalid, "--rollback takes no file: it uses the backup that was made before the upgrade.").
			Fix("Leave the file out, or leave --rollback out.")
	case !c.Rollback && c.File == "":
		return domain.Errorf(domain.Invalid, "The backup's file is missing.").Fix("Name it: blossomtune restore FILE.")
	}
	keys, err := c.keys()
	if err != nil {
		return err
	}
	set, err := c.onHostFlags.settle(k, "")
	if err != nil {
		return err
	}
	data, address, err := databaseOf(set.Data, set.Database)
	if err != nil {
		return err
	}
	if c.Rollback {
		r, err := backup.RollBack(ctx, backup.RollbackOptions{Data: data, Database: address, Keys: keys, Discard: c.Discard, Clock: time.Now})
		if err == nil {
			tellRollback(os.Stdout, r)
		}
		return err
	}
	began := time.Now()
	r, err := backup.Restore(ctx, backup.RestoreOptions{File: c.File, Keys: keys, Data: data, Database: address, Clock: time.Now})
	if err != nil {
		return err
	}
	tell(os.Stdout, r)
	fmt.Printf("Restored into %s in %s. Start it with blossomtune serve --data %s.\n", data, time.Since(began).Round(time.Millisecond), data)
	return nil
}

func tellRollback(w io.Writer, r backup.RolledBack) {
	if r.Unchanged {
		fmt.Fprintln(w, "The database is as it was before the upgrade. Nothing was changed.")
	} else {
		fmt.Fprintf(w, "The database is as it was at %s, from %s.\nThe replaced one is kept: %s.\n",
			r.Upgrade.Made.Format("2006-01-02 15:04:05 UTC"), filepath.Join(backup.Folder, r.Upgrade.File), r.Kept)
	}
	fmt.Fprintln(w, "Start the previous version now.")
}
