package engine

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// flowerControl is Flower's own SuperLink: its Control API, and the keeper for what that lacks.
type flowerControl struct {
	c   *wire.Client
	l   *link
	log *slog.Logger
}

func (f flowerControl) StartRun(ctx context.Context, o RunOrder) (uint64, error) {
	return f.c.StartRun(ctx, o.FAB, o.Config)
}

func (f flowerControl) StopRun(ctx context.Context, id uint64) error { return f.c.StopRun(ctx, id) }

func (f flowerControl) ListRuns(ctx context.Context) ([]wire.Run, error) { return f.c.ListRuns(ctx, 0) }

func (f flowerControl) RegisterNode(ctx context.Context, publicPEM []byte, name string, want uint64) (uint64, error) {
	id, err := f.c.RegisterNode(ctx, publicPEM, name)
	if want != 0 && domain.CodeOf(err) == domain.Conflict { // registered before, but not renumbered
		id, err = f.registered(ctx, publicPEM)
	}
	if err != nil || want == 0 || id == want {
		return id, err
	}
	if err := order(ctx, f.l, http.MethodPost, "/link/nodes/renumber", renumber{From: id, To: want}, nil); err != nil {
		f.log.Warn("a SuperNode could not keep its node ID and may need a restart", "node", name, "was", want, "is", id, "err", err)
		return id, nil
	}
	return want, nil
}

// registered returns the id of a key that is registered.
func (f flowerControl) registered(ctx context.Context, publicPEM []byte) (uint64, error) {
	nodes, err := f.c.ListNodes(ctx)
	for _, n := range nodes {
		if bytes.Equal(bytes.TrimSpace(n.PublicPEM), bytes.TrimSpace(publicPEM)) {
			return n.ID, nil
		}
	}
	if err == nil {
		err = domain.Errorf(domain.Conflict, "The key was registered with the SuperLink before and cannot be used again.")
	}
	return 0, err
}

func (f flowerControl) UnregisterNode(ctx context.Context, id uint64) error {
	return f.c.UnregisterNode(ctx, id)
}

func (f flowerControl) ListNodes(ctx context.Context) ([]wire.Node, error) { return f.c.ListNodes(ctx) }
