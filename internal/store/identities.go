package store

import (
	"context"
	"encoding/json"

	"blossomtune/internal/domain"
)

const identityColumns = "id, person_id, provider, subject, login, name, email, email_verified, organisations, created_at, used_at"

func scanIdentity(s scanner) (v domain.Identity, err error) {
	var verified, created, used int64
	var orgs string
	err = s.Scan(&v.ID, &v.PersonID, &v.Provider, &v.Subject, &v.Login, &v.Name, &v.Email, &verified, &orgs, &created, &used)
	if err != nil {
		return v, err
	}
	v.EmailVerified, v.CreatedAt, v.UsedAt = verified == 1, moment(created), moment(used)
	return v, json.Unmarshal([]byte(orgs), &v.Organisations)
}

func identityValues(v domain.Identity) ([]any, error) {
	orgs, err := asJSON(append([]string{}, v.Organisations...))
	return []any{v.Login, v.Name, v.Email, bit(v.EmailVerified), orgs, millis(v.UsedAt)}, err
}

// IdentityBySubject returns the identity with a provider's own id.
func (tx *Tx) IdentityBySubject(ctx context.Context, provider, subject string) (domain.Identity, error) {
	return get(ctx, tx, "identity", scanIdentity, "SELECT "+identityColumns+" FROM identity WHERE provider = $1 AND subject = $2", provider,
		subject)
}

// IdentitiesOf returns a person's identities, the first linked first.
func (tx *Tx) IdentitiesOf(ctx context.Context, personID int64) ([]domain.Identity, error) {
	return list(ctx, tx, "identity", scanIdentity, "SELECT "+identityColumns+" FROM identity WHERE person_id = $1 ORDER BY id", personID)
}

// InsertIdentity adds an identity and sets its id. One that is known already is a [domain.Conflict].
func (tx *Tx) InsertIdentity(ctx context.Context, v *domain.Identity) error {
	values, err := identityValues(*v)
	if err != nil {
		return err
	}
	err = tx.insert(ctx, "identity", &v.ID, `INSERT INTO identity (person_id, provider, subject, created_at, login, name, email,
		email_verified, organisations, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, append([]any{v.PersonID, v.Provider, v.Subject, millis(v.CreatedAt)}, values...)...)
	if unique(err, "identity.provider") || unique(err, "identity_subject") {
		return domain.Errorf(domain.Conflict, "This account is linked already.").Because(err)
	}
	return err
}

// UpdateIdentity keeps what the provider said last.
func (tx *Tx) UpdateIdentity(ctx context.Context, v domain.Identity) error {
	values, err := identityValues(v)
	if err != nil {
		return err
	}
	return tx.one(ctx, "identity",
		"UPDATE identity SET login = $2, name = $3, email = $4, email_verified = $5, organisations = $6, used_at = $7 WHERE id = $1",
		append([]any{v.ID}, values...)...)
}

// DeleteIdentity unlinks an identity.
func (tx *Tx) DeleteIdentity(ctx context.Context, id int64) error {
	return tx.one(ctx, "identity", "DELETE FROM identity WHERE id = $1", id)
}

// MoveIdentities gives all identities of one person to another.
func (tx *Tx) MoveIdentities(ctx context.Context, from, to int64) error {
	return tx.exec(ctx, "identity", "UPDATE identity SET person_id = $2 WHERE person_id = $1", from, to)
}
