package agent

import (
	"slices"

	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/flower/supernode"
)

// Rehearsal is what one round would have sent from this machine.
type Rehearsal struct {
	Federation string           `json:"federation"`
	FAB        string           `json:"fab"`
	App        string           `json:"app"`
	Version    string           `json:"version"`
	Refused    string           `json:"refused,omitempty"` // why this version would not run here in a real run
	Web        bool             `json:"web"`               // the app could reach web servers
	Contained  string           `json:"contained"`         // see the agent's report
	Data       []string         `json:"data"`              // folders that the ClientApp could read
	Config     map[string]any   `json:"config"`            // changed for the rehearsal
	SuperNodes int              `json:"supernodes"`        // that the ServerApp was shown; this machine is one of them
	Replies    []RehearsedReply `json:"replies"`
	Bytes      int64            `json:"bytes"` // of all replies
	ServerApp  string           `json:"serverapp"`
	Output     []string         `json:"output,omitempty"` // last lines of the apps, where one failed
	Complete   bool             `json:"complete"`         // every message was answered, with a result
	Seconds    float64          `json:"seconds"`
}

// RehearsedReply is one reply that would have left.
type RehearsedReply struct {
	Type    string          `json:"type"`
	Round   string          `json:"round,omitempty"`
	Copies  int             `json:"copies"` // further messages of the ServerApp that were answered with a copy of it
	Error   string          `json:"error,omitempty"`
	Bytes   int64           `json:"bytes"`
	Objects int             `json:"objects"`
	Records []ledger.Record `json:"records"`
}

// Leaving implements [supernode.Recorder].
func (r *rehearser) Leaving(o supernode.Outgoing) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.replies = append(r.replies, o)
	}
	return nil
}

// Sent implements [supernode.Recorder].
func (r *rehearser) Sent(supernode.Sent) {}

// sum lists the replies in the order of the messages.
func (r *rehearser) sum() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.SuperNodes, r.out.Replies = r.link.Nodes(), []RehearsedReply{}
	asked := r.link.Asked()
	r.out.Complete = len(asked) > 0
	for _, a := range asked {
		row := RehearsedReply{Type: a.Type, Round: a.Round, Copies: a.Copies, Error: "no reply", Records: []ledger.Record{}}
		if at := slices.IndexFunc(r.replies, func(o supernode.Outgoing) bool { return o.MessageID == a.MessageID }); at >= 0 {
			o := r.replies[at]
			row.Error, row.Bytes, row.Objects = "", o.Bytes, len(o.Objects)
			row.Records = append(row.Records, rowsOf(o.Records)...)
			if o.Error {
				row.Error = o.Reason
			}
		}
		r.out.Bytes += row.Bytes
		r.out.Complete = r.out.Complete && row.Error == ""
		r.out.Replies = append(r.out.Replies, row)
	}
}
