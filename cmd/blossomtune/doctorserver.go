//go:build !participant

package main

import (
	"context"
	"os"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/doctor"
	"blossomtune/internal/domain"

	"github.com/alecthomas/kong"
)

type doctorCmd struct {
	config.Config
	machineFlags
}

// Run checks the server on this machine, if there is one, and the federations that this machine has joined.
func (c *doctorCmd) Run(ctx context.Context, k *kong.Context) error {
	var places []place
	if _, err := os.Stat(c.Data); err == nil || given(k, "data") {
		if err := settle(&c.Config, k); err != nil {
			return err
		}
		places = append(places, place{"server in " + c.Data, doctor.Server(ctx, c.Config, time.Now)})
	}
	machines, err := c.places(ctx)
	if err != nil {
		return err
	}
	if places = append(places, machines...); len(places) == 0 {
		return domain.Errorf(domain.NotFound, "No server was found in %s, and this machine has not joined a federation.", c.Data).
			Fix("Set --data to the server's directory, or --dir to the agent's.")
	}
	return report(os.Stdout, places, c.JSON)
}

func given(k *kong.Context, flag string) bool {
	for _, p := range k.Path {
		if p.Flag != nil && p.Flag.Name == flag {
			return true
		}
	}
	return false
}
