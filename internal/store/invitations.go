package store

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

const invitationColumns = "id, federation_id, hash, note, email, domain, uses, used, auto, created_by, created_at, expires_at, revoked_at"

func scanInvitation(s scanner) (v domain.Invitation, err error) {
	var auto, created, expires, revoked int64
	err = s.Scan(&v.ID, &v.FederationID, &v.Hash, &v.Note, &v.Email, &v.Domain, &v.Uses, &v.Used, &auto, &v.CreatedBy, &created, &expires,
		&revoked)
	v.Auto, v.CreatedAt, v.ExpiresAt, v.RevokedAt = auto == 1, moment(created), moment(expires), moment(revoked)
	return v, err
}

// InsertInvitation adds an invitation and sets its id.
func (tx *Tx) InsertInvitation(ctx context.Context, v *domain.Invitation) error {
	return tx.insert(ctx, "invitation", &v.ID, `INSERT INTO invitation (federation_id, hash, note, email, domain, uses, used, auto, created_by,
		created_at, expires_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		v.FederationID, v.Hash, v.Note, v.Email, v.Domain, v.Uses, v.Used, bit(v.Auto), v.CreatedBy, millis(v.CreatedAt), millis(v.ExpiresAt),
		millis(v.RevokedAt))
}

// UpdateInvitation writes what changes of an invitation: how often it was used and that it was taken back.
func (tx *Tx) UpdateInvitation(ctx context.Context, v domain.Invitation) error {
	return tx.one(ctx, "invitation", "UPDATE invitation SET used = $2, revoked_at = $3 WHERE id = $1", v.ID, v.Used, millis(v.RevokedAt))
}

// InvitationByHash returns the invitation of a link's secret, ended ones too.
func (tx *Tx) InvitationByHash(ctx context.Context, hash []byte) (domain.Invitation, error) {
	return get(ctx, tx, "invitation", scanInvitation, "SELECT "+invitationColumns+" FROM invitation WHERE hash = $1", hash)
}

// InvitationByID returns an invitation.
func (tx *Tx) InvitationByID(ctx context.Context, id int64) (domain.Invitation, error) {
	return get(ctx, tx, "invitation", scanInvitation, "SELECT "+invitationColumns+" FROM invitation WHERE id = $1", id)
}

// Invitations returns a federation's newest invitations with an id below beforeID (0: all).
func (tx *Tx) Invitations(ctx context.Context, fedID, beforeID int64, n int) ([]domain.Invitation, error) {
	return list(ctx, tx, "invitation", scanInvitation, "SELECT "+invitationColumns+" FROM invitation WHERE federation_id = $1 "+
		"AND (CAST($2 AS BIGINT) = 0 OR id < CAST($2 AS BIGINT)) ORDER BY id DESC LIMIT CAST($3 AS BIGINT)", fedID, beforeID, limit(n))
}

// InvitedEmails returns the addresses that good invitations of a federation are for.
func (tx *Tx) InvitedEmails(ctx context.Context, fedID int64, now time.Time) (map[string]bool, error) {
	rows, err := list(ctx, tx, "invitation", func(s scanner) (v string, err error) { return v, s.Scan(&v) },
		"SELECT email FROM invitation WHERE federation_id = $1 AND email <> '' AND revoked_at = 0 AND used < uses AND expires_at > $2", fedID,
		millis(now))
	out := make(map[string]bool, len(rows))
	for _, e := range rows {
		out[e] = true
	}
	return out, err
}

func scanRule(s scanner) (v domain.ApprovalRule, err error) {
	var created int64
	err = s.Scan(&v.ID, &v.FederationID, &v.Kind, &v.Value, &v.CreatedBy, &created)
	v.CreatedAt = moment(created)
	return v, err
}

// InsertRule adds an approval rule and sets its id. The same one twice is a [domain.Conflict] at field "value".
func (tx *Tx) InsertRule(ctx context.Context, v *domain.ApprovalRule) error {
	err := tx.insert(ctx, "rule", &v.ID,
		"INSERT INTO approval_rule (federation_id, kind, value, created_by, created_at) VALUES ($1, $2, $3, $4, $5)",
		v.FederationID, string(v.Kind), v.Value, v.CreatedBy, millis(v.CreatedAt))
	if unique(err, "approval_rule.value") || unique(err, "approval_rule_value") {
		return domain.Errorf(domain.Conflict, "There is such a rule already.").At("value").Because(err)
	}
	return err
}

// Rules returns a federation's approval rules, the first made first.
func (tx *Tx) Rules(ctx context.Context, fedID int64) ([]domain.ApprovalRule, error) {
	return list(ctx, tx, "rule", scanRule,
		"SELECT id, federation_id, kind, value, created_by, created_at FROM approval_rule WHERE federation_id = $1 ORDER BY id", fedID)
}

// DeleteRule removes an approval rule of a federation.
func (tx *Tx) DeleteRule(ctx context.Context, fedID, id int64) error {
	return tx.one(ctx, "rule", "DELETE FROM approval_rule WHERE id = $1 AND federation_id = $2", id, fedID)
}
