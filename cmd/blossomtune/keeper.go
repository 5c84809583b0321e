//go:build !participant

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/flower/engine"
	"blossomtune/internal/keeper"
	"blossomtune/internal/store"
	"blossomtune/internal/store/flowerdb"
	"blossomtune/internal/store/linkstore"
)

// engineWait is how long engines may take to stop.
const engineWait = 40 * time.Second

type keeperCmd struct {
	Data       string `required:"" help:"The server's data directory." type:"path"`
	Federation int64  `required:"" help:"Its id."`
	Database   string `help:"Database address." env:"BLOSSOMTUNE_DATABASE"`
}

// Run is the body of a keeper process.
func (c *keeperCmd) Run(ctx context.Context) error {
	keeper.Conceal()
	keeper.Adopt()
	data, address, err := databaseOf(c.Data, c.Database)
	if err != nil {
		return err
	}
	db, err := store.OpenExisting(ctx, address)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer db.Close()
	return engine.Serve(ctx, engine.ServeOptions{DataDir: data, FederationID: c.Federation, Sink: db, FAB: c.fabs(db),
		LinkStore: c.linkStore(data, address), SetNodeID: flowerdb.SetNodeID, Clock: time.Now, Log: newLogger("info", "text")})
}

// linkStore opens the store of the federation's builtin SuperLink: in PostgreSQL where the server's database is there, else in a file of
// the federation's own.
func (c *keeperCmd) linkStore(data, address string) engine.LinkStore {
	if strings.HasPrefix(address, "sqlite:") {
		address = "sqlite:" + filepath.Join(engine.FedDir(data, c.Federation), "link.db")
	}
	return func(ctx context.Context) (engine.OpenStore, error) { return linkstore.Open(ctx, address, c.Federation) }
}

// fabs reads the FABs of the federation's runs.
func (c *keeperCmd) fabs(db *store.DB) func(context.Context, uint64) ([]byte, error) {
	return func(ctx context.Context, engineRunID uint64) (fab []byte, err error) {
		err = db.View(ctx, func(tx *store.Tx) error {
			run, err := tx.RunByEngineID(ctx, c.Federation, engineRunID)
			if err != nil {
				return err
			}
			app, err := tx.AppVersionByHash(ctx, run.AppHash, true)
			fab = app.FAB
			return err
		})
		return fab, err
	}
}
