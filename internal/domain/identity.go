package domain

import "time"

// Identity is a person's account at a sign-in provider. Provider and Subject name it for ever; the rest is what the provider
// said when it was used last.
type Identity struct {
	ID            int64
	PersonID      int64
	Provider      string // "github", "huggingface", "oidc" …
	Subject       string // the provider's own unchanging id of the account
	Login         string // the name of the account there, which its owner may change
	Name          string
	Email         string
	EmailVerified bool     // the provider says that the address was proven; one that was not proves nothing here either
	Organisations []string // names of the account's organisations there, lower case
	CreatedAt     time.Time
	UsedAt        time.Time
}
