package client

import (
	"time"
)

// Request is a request to join.
type Request struct {
	Ref          string     `json:"ref"`
	Federation   string     `json:"federation"`
	State        string     `json:"state" enum:"unverified,pending,approved,rejected,revoked,withdrawn,expired"`
	Partition    *int       `json:"partition,omitempty"`
	Name         string     `json:"name"`
	Organisation string     `json:"organisation"`
	Email        string     `json:"email"`
	Message      string     `json:"message,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	DecidedAt    *time.Time `json:"decided_at,omitempty"`
}

// Ask is a request to join.
type Ask struct {
	Email        string `json:"email" maxLength:"254"`
	Name         string `json:"name" maxLength:"120"`
	Organisation string `json:"organisation,omitempty" maxLength:"120"`
	Message      string `json:"message,omitempty" maxLength:"2000"`
	Invitation   string `json:"invitation,omitempty" maxLength:"100" doc:"The last part of an invitation's link"`
}

// Asked is the answer to a request: the same for everybody.
type Asked struct {
	Ref string `json:"ref" doc:"The request's id; its code comes by e-mail"`
}

// Verify is the code that was mailed for a request.
type Verify struct {
	Code string `json:"code" maxLength:"40" doc:"The mailed code"`
}

// Approve names the requests to approve.
type Approve struct {
	Refs      []string `json:"refs" minItems:"1" maxItems:"500"`
	Partition *int     `json:"partition,omitempty" doc:"Of one request; left out: the next free ones"`
}

// Reason is why a request is decided as it is.
type Reason struct {
	Reason string `json:"reason" maxLength:"2000" doc:"Mailed to the person"`
}

// Remind names people who are reminded to connect.
type Remind struct {
	Refs []string `json:"refs,omitempty" maxItems:"500" doc:"Of their requests"`
	All  bool     `json:"all,omitempty" doc:"Instead of refs: everyone who was approved and has never connected, up to 500"`
}

// Reminded says what became of a reminder.
type Reminded struct {
	Mailed  int `json:"mailed"`
	Skipped int `json:"skipped" doc:"Connected since, or reminded less than a day ago"`
}
