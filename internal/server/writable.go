package server

import (
	"context"

	"blossomtune/internal/domain"
)

// leastFree is how much of the data directory's disk must be free for a launch, in bytes.
const leastFree = 100 << 20

// writable returns why the server could not keep what a run writes, as a [domain.Unavailable] error: its database takes no writes, or
// its disk is full.
func (a *Server) writable(ctx context.Context) error {
	if err := a.disk(); err != nil {
		return err
	}
	return a.db.Ready(ctx)
}

func (a *Server) disk() error {
	free, total := diskSpace(a.o.Config.Data)
	return checkSpace(free, total)
}

func checkSpace(free, total int64) error {
	if total == 0 || free >= leastFree {
		return nil
	}
	return domain.Errorf(domain.Unavailable, "The server's disk is full: %d MB are free.", free>>20).Fix("Free some space first: a run needs at least %d MB, and what it writes.", leastFree>>20)
}
