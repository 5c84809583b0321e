package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

const personColumns = "id, email, name, organisation, admin, created_at, erased_at"

func scanPerson(s scanner) (p domain.Person, err error) {
	var email sql.NullString
	var admin, created, erased int64
	err = s.Scan(&p.ID, &email, &p.Name, &p.Organisation, &admin, &created, &erased)
	p.Email, p.Admin, p.CreatedAt, p.ErasedAt = email.String, admin == 1, moment(created), moment(erased)
	return p, err
}

func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// PersonByID returns a person.
func (tx *Tx) PersonByID(ctx context.Context, id int64) (domain.Person, error) {
	return get(ctx, tx, "person", scanPerson, "SELECT "+personColumns+" FROM person WHERE id = $1", id)
}

// PersonByEmail returns the person with a normal e-mail address.
func (tx *Tx) PersonByEmail(ctx context.Context, email string) (domain.Person, error) {
	return get(ctx, tx, "person", scanPerson, "SELECT "+personColumns+" FROM person WHERE email = $1", email)
}

// InsertPerson adds a person and sets its id. A known e-mail address is a [domain.Conflict].
func (tx *Tx) InsertPerson(ctx context.Context, p *domain.Person) error {
	err := tx.insert(ctx, "person", &p.ID, "INSERT INTO person (email, name, organisation, admin, created_at) VALUES ($1, $2, $3, $4, $5)",
		nullable(p.Email), p.Name, p.Organisation, bit(p.Admin), millis(p.CreatedAt))
	if unique(err, "person.email") || unique(err, "person_email") {
		return domain.Errorf(domain.Conflict, "Somebody with this e-mail address is known already.").At("email").Because(err)
	}
	return err
}

// UpdatePerson writes a person.
func (tx *Tx) UpdatePerson(ctx context.Context, p domain.Person) error {
	if err := tx.forgetCallsOf(ctx, p.ID); err != nil {
		return err
	}
	return tx.one(ctx, "person", "UPDATE person SET email = $2, name = $3, organisation = $4, admin = $5 WHERE id = $1",
		p.ID, nullable(p.Email), p.Name, p.Organisation, bit(p.Admin))
}

// CountAdmins counts the instance admins.
func (tx *Tx) CountAdmins(ctx context.Context) (int, error) {
	return get(ctx, tx, "person", func(s scanner) (n int, err error) { return n, s.Scan(&n) }, "SELECT COUNT(*) FROM person WHERE admin = 1")
}

// GrantedRole returns the role a person was given in a federation, [domain.RoleNone] if none.
func (tx *Tx) GrantedRole(ctx context.Context, personID, fedID int64) (domain.Role, error) {
	r, err := get(ctx, tx, "role", func(s scanner) (r domain.Role, err error) { return r, s.Scan(&r) },
		"SELECT role FROM role_grant WHERE person_id = $1 AND federation_id = $2", personID, fedID)
	if domain.CodeOf(err) == domain.NotFound {
		return domain.RoleNone, nil
	}
	return r, err
}

// SetGrantedRole gives a person a role in a federation, or with [domain.RoleNone] takes it away.
func (tx *Tx) SetGrantedRole(ctx context.Context, personID, fedID int64, r domain.Role) error {
	if err := tx.forgetCallsOf(ctx, personID); err != nil {
		return err
	}
	if r == domain.RoleNone {
		return tx.exec(ctx, "role", "DELETE FROM role_grant WHERE person_id = $1 AND federation_id = $2", personID, fedID)
	}
	return tx.exec(ctx, "role", `INSERT INTO role_grant (person_id, federation_id, role) VALUES ($1, $2, $3)
		ON CONFLICT (person_id, federation_id) DO UPDATE SET role = excluded.role`, personID, fedID, string(r))
}

const sessionColumns = "id, person_id, created_at, last_seen_at, expires_at, address, agent"

func scanSession(s scanner) (v domain.Session, err error) {
	var created, seen, expires int64
	err = s.Scan(&v.ID, &v.PersonID, &created, &seen, &expires, &v.Address, &v.Agent)
	v.CreatedAt, v.LastSeenAt, v.ExpiresAt = moment(created), moment(seen), moment(expires)
	return v, err
}

// InsertSession adds a session under the hash of its secret and sets its id.
func (tx *Tx) InsertSession(ctx context.Context, v *domain.Session, hash []byte) error {
	return tx.insert(ctx, "session", &v.ID, "INSERT INTO session (hash, person_id, created_at, last_seen_at, expires_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		hash, v.PersonID, millis(v.CreatedAt), millis(v.LastSeenAt), millis(v.ExpiresAt), v.Address, v.Agent)
}

// SessionByHash returns a session by the hash of its secret, expired ones too.
func (tx *Tx) SessionByHash(ctx context.Context, hash []byte) (domain.Session, error) {
	return get(ctx, tx, "session", scanSession, "SELECT "+sessionColumns+" FROM session WHERE hash = $1", hash)
}

// TouchSession keeps when a session was last used.
func (tx *Tx) TouchSession(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "session", "UPDATE session SET last_seen_at = $2 WHERE id = $1", id, millis(at))
}

// DeleteSession ends a session; ending an ended one is no error.
func (tx *Tx) DeleteSession(ctx context.Context, id int64) error {
	return tx.exec(ctx, "session", "DELETE FROM session WHERE id = $1", id)
}

// DeleteSessionsBefore ends the sessions that expired before a moment.
func (tx *Tx) DeleteSessionsBefore(ctx context.Context, at time.Time) error {
	return tx.exec(ctx, "session", "DELETE FROM session WHERE expires_at < $1", millis(at))
}

func scanLink(s scanner) (v domain.Link, err error) {
	var person sql.NullInt64
	var created, expires, used int64
	err = s.Scan(&v.ID, &v.Purpose, &person, &created, &expires, &used)
	v.PersonID, v.CreatedAt, v.ExpiresAt, v.UsedAt = person.Int64, moment(created), moment(expires), moment(used)
	return v, err
}

// InsertLink adds a one-time link under the hash of its secret and sets its id.
func (tx *Tx) InsertLink(ctx context.Context, v *domain.Link, hash []byte) error {
	return tx.insert(ctx, "link", &v.ID, "INSERT INTO link (hash, purpose, person_id, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6)",
		hash, string(v.Purpose), sql.NullInt64{Int64: v.PersonID, Valid: v.PersonID != 0}, millis(v.CreatedAt), millis(v.ExpiresAt), millis(v.UsedAt))
}

// LinkByHash returns a one-time link, used and expired ones too.
func (tx *Tx) LinkByHash(ctx context.Context, hash []byte) (domain.Link, error) {
	return get(ctx, tx, "link", scanLink, "SELECT id, purpose, person_id, created_at, expires_at, used_at FROM link WHERE hash = $1", hash)
}

// UseLink marks a link as used; a used one is a [domain.NotFound] error.
func (tx *Tx) UseLink(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "link", "UPDATE link SET used_at = $2 WHERE id = $1 AND used_at = 0", id, millis(at))
}

// DeleteLinks removes the unused links of a purpose.
func (tx *Tx) DeleteLinks(ctx context.Context, p domain.LinkPurpose) error {
	return tx.exec(ctx, "link", "DELETE FROM link WHERE purpose = $1 AND used_at = 0", string(p))
}

const tokenColumns = "id, name, person_id, scope, created_at, expires_at, last_used_at"

func scanAPIToken(s scanner) (v domain.APIToken, err error) {
	var created, expires, used int64
	err = s.Scan(&v.ID, &v.Name, &v.PersonID, &v.Scope, &created, &expires, &used)
	v.CreatedAt, v.ExpiresAt, v.LastUsedAt = moment(created), moment(expires), moment(used)
	return v, err
}

// InsertAPIToken adds an API token under the hash of its secret and sets its id.
func (tx *Tx) InsertAPIToken(ctx context.Context, v *domain.APIToken, hash []byte) error {
	return tx.insert(ctx, "API token", &v.ID, "INSERT INTO api_token (hash, name, person_id, scope, created_at, expires_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		hash, v.Name, v.PersonID, string(v.Scope), millis(v.CreatedAt), millis(v.ExpiresAt), millis(v.LastUsedAt))
}

// APITokenByHash returns an API token, expired ones too.
func (tx *Tx) APITokenByHash(ctx context.Context, hash []byte) (domain.APIToken, error) {
	return get(ctx, tx, "API token", scanAPIToken, "SELECT "+tokenColumns+" FROM api_token WHERE hash = $1", hash)
}

// TouchAPIToken keeps when a token was last used.
func (tx *Tx) TouchAPIToken(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "API token", "UPDATE api_token SET last_used_at = $2 WHERE id = $1", id, millis(at))
}

// APITokensOf returns a person's API tokens, the newest first.
func (tx *Tx) APITokensOf(ctx context.Context, personID int64) ([]domain.APIToken, error) {
	return list(ctx, tx, "API token", scanAPIToken, "SELECT "+tokenColumns+" FROM api_token WHERE person_id = $1 ORDER BY id DESC", personID)
}

// DeleteAPIToken ends a person's API token.
func (tx *Tx) DeleteAPIToken(ctx context.Context, personID, id int64) error {
	return tx.one(ctx, "API token", "DELETE FROM api_token WHERE id = $1 AND person_id = $2", id, personID)
}

// SessionsOf returns a person's sessions, the last used first.
func (tx *Tx) SessionsOf(ctx context.Context, personID int64) ([]domain.Session, error) {
	return list(ctx, tx, "session", scanSession, "SELECT "+sessionColumns+" FROM session WHERE person_id = $1 ORDER BY last_seen_at DESC, id DESC", personID)
}

// RoleGrants returns who was given a role in a federation, by name.
func (tx *Tx) RoleGrants(ctx context.Context, fedID int64) ([]domain.RoleGrant, error) {
	scan := func(s scanner) (g domain.RoleGrant, err error) {
		var email sql.NullString
		var admin, created int64
		err = s.Scan(&g.Person.ID, &email, &g.Person.Name, &g.Person.Organisation, &admin, &created, &g.Role)
		g.Person.Email, g.Person.Admin, g.Person.CreatedAt = email.String, admin == 1, moment(created)
		return g, err
	}
	return list(ctx, tx, "role", scan, `SELECT p.id, p.email, p.name, p.organisation, p.admin, p.created_at, g.role
		FROM role_grant g JOIN person p ON p.id = g.person_id WHERE g.federation_id = $1 ORDER BY p.name, p.id`, fedID)
}

// People returns persons, the newest first: those whose name, address or organisation has the words, those with a lower id only.
func (tx *Tx) People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error) {
	var w where
	if f.Search != "" {
		w.add("LOWER(name || ' ' || COALESCE(email, '') || ' ' || organisation) LIKE ? ESCAPE '\\'", like(f.Search))
	}
	if f.BeforeID > 0 {
		w.add("id < ?", f.BeforeID)
	}
	w.conds = append(w.conds, "erased_at = 0")
	if f.Admins {
		w.add("admin = ?", 1)
	}
	return list(ctx, tx, "person", scanPerson, fmt.Sprintf("SELECT %s FROM person%s ORDER BY id DESC LIMIT %d", personColumns, w.String(), limit(f.Limit)), w.args...)
}
