package api

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// RunParticipants are the participants of a run as they were then.
type RunParticipants struct {
	Complete     bool             `json:"complete" doc:"False for a run from before participants were kept with runs: only those who were asked are known"`
	Participants []RunParticipant `json:"participants" doc:"By partition; one for each SuperNode"`
}

// RunParticipant is one participant of a run. Who may not know who the others are gets no names.
type RunParticipant struct {
	Partition     *int       `json:"partition,omitempty" doc:"Left out where it is not known"`
	Partitions    int        `json:"num_partitions" doc:"The federation's total when they came to the run"`
	NodeID        uint64     `json:"node_id,string" doc:"0: their SuperNode never registered"`
	Fingerprint   string     `json:"key_sha256,omitempty"`
	Name          string     `json:"name,omitempty"`
	Organisation  string     `json:"organisation,omitempty"`
	Online        *bool      `json:"online_at_start,omitempty" doc:"Left out where it is not known"`
	JoinedAt      *time.Time `json:"joined_at,omitempty" doc:"The run's start, or when they came to it later"`
	AskedAt       *time.Time `json:"asked_at,omitempty" doc:"The first message to their SuperNode"`
	TakenAt       *time.Time `json:"taken_at,omitempty" doc:"When it first took one"`
	ContributedAt *time.Time `json:"contributed_at,omitempty" doc:"Its first reply without an error"`
	FailedAt      *time.Time `json:"failed_at,omitempty" doc:"Its first reply that is an error"`
}

func (a *api) participants(ctx context.Context, in *RunPath) (*body[RunParticipants], error) {
	r, _, role, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Participants(ctx, r)
	out := RunParticipants{Complete: !r.ParticipantsAt.IsZero(), Participants: []RunParticipant{}}
	for _, p := range all {
		v := RunParticipant{Partitions: p.Partitions, NodeID: p.NodeID, Fingerprint: p.Fingerprint, JoinedAt: when(p.JoinedAt), AskedAt: when(p.AskedAt), TakenAt: when(p.TakenAt),
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
