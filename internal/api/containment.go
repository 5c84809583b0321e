package api

import (
	"context"

	"blossomtune/internal/domain"
)

// Containment is how ServerApps are contained on this server.
type Containment struct {
	Level    domain.Containment `json:"level" enum:"namespaces,floor,partial,none"`
	Accepted bool               `json:"accept_uncontained" doc:"Managers can add and launch apps although the server cannot contain them (level partial or none)"`
}

type containmentInput struct {
	Body struct {
		Accept bool `json:"accept_uncontained"`
	}
}

func (a *api) getContainment(ctx context.Context, _ *none) (*body[Containment], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	accepted, err := a.Catalog.AcceptsUncontained(ctx)
	return answer(Containment{Level: a.Contained(), Accepted: accepted}), err
}

func (a *api) setContainment(ctx context.Context, in *containmentInput) (*body[Containment], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	if err := a.Catalog.AcceptUncontained(ctx, callerOf(ctx).actor, in.Body.Accept); err != nil {
		return nil, err
	}
	return a.getContainment(ctx, nil)
}
