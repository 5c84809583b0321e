package domain

import "time"

// MaxShareDays is how long a link to a run may work.
const MaxShareDays = 365

// Share is a link with which anybody may look at one run, without an account.
type Share struct {
	ID           int64
	Hash         []byte // of its secret
	FederationID int64
	RunID        int64
	WithLog      bool // the log and the cause of a failure can be read too
	CreatedBy    string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	RevokedAt    time.Time
}

// Good reports whether the link works.
func (s Share) Good(now time.Time) bool { return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt) }
