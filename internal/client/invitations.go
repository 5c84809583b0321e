package client

import (
	"time"
)

// Invitation is a link with which people ask to join.
type Invitation struct {
	ID        int64     `json:"id"`
	Note      string    `json:"note,omitempty"`
	Email     string    `json:"email,omitempty" doc:"The only address it is for"`
	Domain    string    `json:"domain,omitempty" doc:"The only e-mail domain it is for"`
	Uses      int       `json:"uses"`
	Used      int       `json:"used"`
	Auto      bool      `json:"auto" doc:"Who comes by it is approved without a review"`
	Ended     string    `json:"ended,omitempty" doc:"Why it does not work any more"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Link      string    `json:"link,omitempty" doc:"Of a new one, this once"`
}

// Rule approves requests without a review.
type Rule struct {
	ID    int64  `json:"id"`
	Kind  string `json:"kind" enum:"domain,organisation"`
	Value string `json:"value"`
}

// NewInvitation is an invitation to create.
type NewInvitation struct {
	Note   string `json:"note,omitempty" maxLength:"120"`
	Domain string `json:"domain,omitempty" maxLength:"253"`
	Uses   int    `json:"uses" minimum:"1" maximum:"10000" default:"1"`
	Days   int    `json:"days" minimum:"1" maximum:"365" default:"14"`
	Auto   bool   `json:"auto,omitempty"`
}

// InvitationImport is a list of addresses to invite by mail.
type InvitationImport struct {
	Emails string `json:"emails" doc:"One address a line"`
	Days   int    `json:"days" minimum:"1" maximum:"365" default:"14"`
	Auto   bool   `json:"auto,omitempty"`
}

// Imported is what became of a list of addresses.
type Imported struct {
	Invited []string `json:"invited"`
	Known   []string `json:"known" doc:"Invited already, or with an active request"`
}

// NewRule is a rule to create.
type NewRule struct {
	Kind  string `json:"kind" enum:"domain,organisation"`
	Value string `json:"value" maxLength:"253" doc:"uni.example, or huggingface:acme"`
}
