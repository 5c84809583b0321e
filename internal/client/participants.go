package client

import (
	"time"
)

// RunParticipants are the participants of a run as they were then.
type RunParticipants struct {
	Complete     bool             `json:"complete" doc:"False for a run from before participants were kept with runs: only those who were asked are known"`
	Participants []RunParticipant `json:"participants" doc:"By partition; one for each SuperNode"`
	Next         string           `json:"next,omitempty" doc:"With limit: the cursor of the next page; left out on the last one"`
}

// RunParticipant is one participant of a run. Who may not know who the others are gets no names.
type RunParticipant struct {
	Partition     *int       `json:"partition,omitempty" doc:"Left out where it is not known"`
	Partitions    int        `json:"num_partitions" doc:"The federation's total when they came to the run"`
	NodeID        DecimalID  `json:"node_id,string" doc:"0: their SuperNode never registered"`
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
