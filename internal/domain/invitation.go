package domain

import (
	"strings"
	"time"
)

// Invitation is a link with which people ask to join a federation. Its secret is kept only as a hash.
type Invitation struct {
	ID           int64
	FederationID int64
	Hash         []byte
	Note         string // for the managers: whom it is for
	Email        string // the only address it is for; "" for anybody's
	Domain       string // the only e-mail domain it is for; "" for any
	Uses         int    // how many people can come by it
	Used         int    // how many have, with a proven address
	Auto         bool   // who comes by it is approved without a review
	CreatedBy    string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	RevokedAt    time.Time // zero while good
}

// Limits of invitations.
const (
	MaxInvitationUses = 10_000
	MaxInvitationDays = 365
	MaxImport         = 1000 // addresses invited at once
)

// Ended says why an invitation does not work any more, "" while it does.
func (i Invitation) Ended(now time.Time) string {
	switch {
	case !i.RevokedAt.IsZero():
		return "taken back"
	case now.After(i.ExpiresAt):
		return "run out"
	case i.Used >= i.Uses:
		return "used up"
	}
	return ""
}

// Takes reports whether an address may come by the invitation.
func (i Invitation) Takes(email string) bool {
	_, host, _ := strings.Cut(email, "@")
	return (i.Email == "" || i.Email == email) && (i.Domain == "" || i.Domain == host)
}

// RuleKind says what an approval rule looks at.
type RuleKind string

// Kinds of approval rules.
const (
	RuleDomain       RuleKind = "domain"       // of the proven e-mail address: "uni.example"
	RuleOrganisation RuleKind = "organisation" // at a sign-in provider: "huggingface:acme"
)

// ApprovalRule approves requests without a review, once the address is proven.
type ApprovalRule struct {
	ID           int64
	FederationID int64
	Kind         RuleKind
	Value        string // lower case
	CreatedBy    string
	CreatedAt    time.Time
}

// Matches reports whether a person with a proven address and these accounts elsewhere is approved by the rule.
func (r ApprovalRule) Matches(email string, accounts []Identity) bool {
	if r.Kind == RuleDomain {
		_, host, _ := strings.Cut(email, "@")
		return host == r.Value
	}
	for _, a := range accounts {
		for _, o := range a.Organisations {
			if a.Provider+":"+o == r.Value {
				return true
			}
		}
	}
	return false
}
