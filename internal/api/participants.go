package api

import (
	"context"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type participantsInput struct {
	RunPath
	After string `query:"after" maxLength:"100" doc:"The cursor that the page before gave as next; needs limit"`
	Limit int    `query:"limit" minimum:"0" maximum:"1000" doc:"How many at most; 0: all"`
}

func (a *api) participants(ctx context.Context, in *participantsInput) (*body[client.RunParticipants], error) {
	r, _, role, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	out := client.RunParticipants{Complete: !r.ParticipantsAt.IsZero(), Participants: []client.RunParticipant{}}
	var all []domain.RunParticipant
	switch {
	case in.Limit > 0:
		all, out.Next, err = a.Runs.ParticipantPage(ctx, r, in.After, in.Limit)
	case in.After != "":
		return nil, domain.Errorf(domain.Invalid, "A page after another one needs a limit.").Fix("Pass the limit of the page before.").At("limit")
	default:
		all, err = a.Runs.Participants(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		v := client.RunParticipant{Partitions: p.Partitions, NodeID: client.DecimalID(p.NodeID), Fingerprint: p.Fingerprint,
			JoinedAt: when(p.JoinedAt), AskedAt: when(p.AskedAt), TakenAt: when(p.TakenAt),
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
	return answer(out), nil
}
