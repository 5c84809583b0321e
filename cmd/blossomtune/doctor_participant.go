//go:build participant

package main

import (
	"context"
	"os"

	"blossomtune/internal/domain"
)

type doctorCmd struct {
	machineFlags
}

// Run checks the federations that this machine has joined.
func (c *doctorCmd) Run(ctx context.Context) error {
	places, err := c.places(ctx)
	if err == nil && len(places) == 0 {
		err = domain.Errorf(domain.NotFound,
			"This machine has not joined a federation.").Fix("Join one with blossomtune join, or name its directory with --dir.")
	}
	if err != nil {
		return err
	}
	return report(os.Stdout, places, c.JSON)
}

// doctorGroup has no other commands in this program.
type doctorGroup = doctorCmd
