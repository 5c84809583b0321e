package main

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/flower/engine"
	"blossomtune/internal/keeper"
	"blossomtune/internal/store"
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
	return engine.Serve(ctx, engine.ServeOptions{DataDir: data, FederationID: c.Federation, Sink: db, Clock: time.Now, Log: newLogger("info", "text")})
}
