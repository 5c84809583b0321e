package api

import (
	"context"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type roundInput struct {
	RunPath
	Round int `path:"round" minimum:"0"`
}

func (a *api) round(ctx context.Context, in *roundInput) (*body[[]client.Exchange], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Passages(ctx, r, in.Round)
	out := []client.Exchange{}
	for _, p := range all {
		out = append(out, client.Exchange{NodeID: client.DecimalID(p.NodeID), Phase: string(p.Phase), Asked: when(p.AskedAt),
			Taken: when(p.TakenAt), Get: when(p.GetAt), Got: when(p.GotAt), Put: when(p.PutAt),
			Sent: when(p.SentAt), Replied: when(p.RepliedAt), Failed: p.Failed})
	}
	return answer(out), err
}

func (a *api) traffic(ctx context.Context, in *RunPath) (*body[[]client.Traffic], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Traffic(ctx, r)
	out := []client.Traffic{}
	for _, t := range all {
		out = append(out, client.Traffic{NodeID: client.DecimalID(t.NodeID), Up: t.Up, Down: t.Down})
	}
	return answer(out), err
}
