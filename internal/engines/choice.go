package engines

import (
	"cmp"
	"context"
	"sync"

	"blossomtune/internal/domain"
)

// Federations reads federations.
type Federations interface {
	Federation(ctx context.Context, id int64) (domain.Federation, error)
}

// Choice knows which engine each federation is to have. It is safe for concurrent use.
type Choice struct {
	ctx         context.Context
	federations Federations
	fallback    domain.Engine
	chosen      sync.Map // by federation: the engine that it chose, as a domain.Engine
}

// NewChoice returns what knows the engines of federations: fallback for those that have chosen none. Reads end with ctx.
func NewChoice(ctx context.Context, f Federations, fallback domain.Engine) *Choice {
	return &Choice{ctx: ctx, federations: f, fallback: fallback}
}

// Of returns the engine that a federation is to have, or "" while the database does not answer.
func (c *Choice) Of(fedID int64) string {
	chosen, known := c.chosen.Load(fedID)
	if !known {
		f, err := c.federations.Federation(c.ctx, fedID)
		if err != nil {
			return ""
		}
		chosen, _ = c.chosen.LoadOrStore(fedID, f.Engine)
	}
	return string(cmp.Or(chosen.(domain.Engine), c.fallback))
}

// Forget makes the next [Choice.Of] read the federation's choice again.
func (c *Choice) Forget(fedID int64) { c.chosen.Delete(fedID) }
