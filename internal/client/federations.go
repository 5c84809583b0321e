package client

import (
	"time"
)

// Federation is a federation with the state of its SuperLink.
type Federation struct {
	Slug        string    `json:"slug" doc:"Its part of an address"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Partitions  int       `json:"partitions" doc:"Total number of partitions"`
	Role        string    `json:"role" doc:"What the caller may do in it"`
	SuperLink   SuperLink `json:"superlink"`
	Asking      *Asking   `json:"asking,omitempty" doc:"For managers, of one federation: how people ask to join"`
	CreatedAt   time.Time `json:"created_at"`
}

// SuperLink is the state of a federation's engine.
type SuperLink struct {
	State    string     `json:"state" enum:"stopped,starting,up,restarting,unreachable,failed"`
	Since    *time.Time `json:"since,omitempty"`
	Restarts int        `json:"restarts"`
	Reason   string     `json:"reason,omitempty"`
	Engine   string     `json:"engine" doc:"Which it is: builtin, part of this program, or flower, Flower's own"`
	Idle     bool       `json:"idle,omitempty" doc:"Stopped because nothing ran; it starts with the next run"`
}

// NewFederation is a federation to create.
type NewFederation struct {
	Slug        string `json:"slug" maxLength:"40"`
	Name        string `json:"name" maxLength:"120"`
	Description string `json:"description,omitempty" maxLength:"4000"`
	Partitions  int    `json:"partitions" doc:"Total number of partitions"`
	Engine      string `json:"engine,omitempty" enum:"default,builtin,flower" doc:"Its SuperLink: part of this program, Flower's own, or the server's default"`
}

// Resize is a federation's new total of partitions.
type Resize struct {
	Partitions int `json:"partitions"`
}

// FederationSettings are a federation's texts, and how people ask to join.
type FederationSettings struct {
	Name        string `json:"name" maxLength:"120"`
	Description string `json:"description,omitempty" maxLength:"4000"`
	Asking
}

// Asking is how people ask to join a federation.
type Asking struct {
	Proof           string `json:"proof" enum:"both,either" doc:"What people prove who ask to join: an account at a sign-in provider and their address, or either"`
	Question        string `json:"question,omitempty" maxLength:"240"`
	AnswerNeeded    bool   `json:"answer_needed,omitempty"`
	InvitationsOnly bool   `json:"invitations_only,omitempty"`
}

// SuperLinkChange starts or stops a SuperLink.
type SuperLinkChange struct {
	State string `json:"state" enum:"up,stopped"`
}

// Node is a SuperNode's key and what the gateway has seen of it.
type Node struct {
	Partition   int        `json:"partition"`
	Request     string     `json:"request,omitempty" doc:"For managers: the request's id"`
	Holder      string     `json:"holder,omitempty" doc:"For managers: who holds the partition"`
	State       string     `json:"state" enum:"online,offline,never_seen,suspended,revoked"`
	Fingerprint string     `json:"fingerprint" doc:"SHA-256 of the public key"`
	NodeID      DecimalID  `json:"node_id,string" doc:"The SuperLink's id; 0 until registered"`
	FirstSeen   *time.Time `json:"first_seen,omitempty"`
	LastSeen    *time.Time `json:"last_seen,omitempty"`
	BytesIn     int64      `json:"bytes_in" doc:"From the SuperNode"`
	BytesOut    int64      `json:"bytes_out" doc:"To the SuperNode"`
	Flwr        string     `json:"flwr,omitempty"`
	Stuck       *Stuck     `json:"stuck,omitempty" doc:"Set if the SuperNode is online and takes no part in runs until it is restarted"`
}

// Stuck says why a SuperNode is stuck and what to do.
type Stuck struct {
	Cause  string `json:"cause"`
	Remedy string `json:"remedy"`
}
