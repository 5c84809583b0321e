package store

import (
	"context"

	"blossomtune/internal/domain"
)

// DeleteSessionsOf ends all sessions of a person.
func (tx *Tx) DeleteSessionsOf(ctx context.Context, personID int64) error {
	return tx.exec(ctx, "session", "DELETE FROM session WHERE person_id = $1", personID)
}

// DeleteAPITokensOf ends all API tokens of a person.
func (tx *Tx) DeleteAPITokensOf(ctx context.Context, personID int64) error {
	return tx.exec(ctx, "API token", "DELETE FROM api_token WHERE person_id = $1", personID)
}

// DeleteSignInLinksOf removes the unused sign-in links of a person.
func (tx *Tx) DeleteSignInLinksOf(ctx context.Context, personID int64) error {
	return tx.exec(ctx, "link", "DELETE FROM link WHERE person_id = $1 AND purpose = $2 AND used_at = 0", personID, string(domain.LinkSignIn))
}
