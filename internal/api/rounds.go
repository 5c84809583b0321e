package api

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// Exchange is what was asked of one SuperNode, and when each part of it was seen. Times that are not known are left out.
type Exchange struct {
	NodeID  DecimalID  `json:"node_id,string"`
	Phase   string     `json:"phase" enum:"train,evaluate,other"`
	Asked   *time.Time `json:"asked,omitempty" doc:"The ServerApp sent the message"`
	Taken   *time.Time `json:"taken,omitempty" doc:"The SuperNode got it"`
	Get     *time.Time `json:"get,omitempty" doc:"It asked for the first object: the download begins"`
	Got     *time.Time `json:"got,omitempty" doc:"It confirmed that it has all: the work begins"`
	Put     *time.Time `json:"put,omitempty" doc:"It announced its reply: the upload begins"`
	Sent    *time.Time `json:"sent,omitempty" doc:"The last object of its reply"`
	Replied *time.Time `json:"replied,omitempty" doc:"The ServerApp has the reply"`
	Failed  bool       `json:"failed"`
}

type roundInput struct {
	RunPath
	Round int `path:"round" minimum:"0"`
}

func (a *api) round(ctx context.Context, in *roundInput) (*body[[]Exchange], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Passages(ctx, r, in.Round)
	out := []Exchange{}
	for _, p := range all {
		out = append(out, Exchange{NodeID: DecimalID(p.NodeID), Phase: string(p.Phase), Asked: when(p.AskedAt), Taken: when(p.TakenAt), Get: when(p.GetAt), Got: when(p.GotAt), Put: when(p.PutAt),
			Sent: when(p.SentAt), Replied: when(p.RepliedAt), Failed: p.Failed})
	}
	return answer(out), err
}

// Traffic is what went to and from one SuperNode because of a run.
type Traffic struct {
	NodeID DecimalID `json:"node_id,string"`
	Up     int64     `json:"up" doc:"Bytes from the SuperNode"`
	Down   int64     `json:"down" doc:"Bytes to it"`
}

func (a *api) traffic(ctx context.Context, in *RunPath) (*body[[]Traffic], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Traffic(ctx, r)
	out := []Traffic{}
	for _, t := range all {
		out = append(out, Traffic{NodeID: DecimalID(t.NodeID), Up: t.Up, Down: t.Down})
	}
	return answer(out), err
}
