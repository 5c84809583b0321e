package api

import (
	"context"

	"blossomtune/internal/client"
)

type containmentInput struct {
	Body client.ContainmentChange
}

func (a *api) getContainment(ctx context.Context, _ *none) (*body[client.Containment], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	accepted, err := a.Catalog.AcceptsUncontained(ctx)
	return answer(client.Containment{Level: a.Contained(), Accepted: accepted}), err
}

func (a *api) setContainment(ctx context.Context, in *containmentInput) (*body[client.Containment], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	if err := a.Catalog.AcceptUncontained(ctx, callerOf(ctx).actor, in.Body.Accept); err != nil {
		return nil, err
	}
	return a.getContainment(ctx, nil)
}
