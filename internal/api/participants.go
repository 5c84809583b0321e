package api

import (
	"context"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

func (a *api) participants(ctx context.Context, in *RunPath) (*body[client.RunParticipants], error) {
	r, _, role, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Participants(ctx, r)
	out := client.RunParticipants{Complete: !r.ParticipantsAt.IsZero(), Participants: []client.RunParticipant{}}
	for _, p := range all {
		v := client.RunParticipant{Partitions: p.Partitions, NodeID: client.DecimalID(p.NodeID), Fingerprint: p.Fingerprint, JoinedAt: when(p.JoinedAt), AskedAt: when(p.AskedAt), TakenAt: when(p.TakenAt),
			ContributedAt: when(p.ContributedAt), FailedAt: when(p.FailedAt)}
		if p.Partition >= 0 {
			v.Partition = &p.Partition
		}
		if out.Complete {
			v.Online = &p.Online
		}
		if role.AtLeast(domain.RoleViewer) {
			v.Name, v.Organisation = p.Name, p.Organisation
		}
		out.Participants = append(out.Participants, v)
	}
	return answer(out), err
}
