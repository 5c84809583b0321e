package store

import (
	"context"

	"blossomtune/internal/domain"
)

const shareColumns = "id, hash, federation_id, run_id, with_log, created_by, created_at, expires_at, revoked_at"

func scanShare(s scanner) (v domain.Share, err error) {
	var log, created, expires, revoked int64
	err = s.Scan(&v.ID, &v.Hash, &v.FederationID, &v.RunID, &log, &v.CreatedBy, &created, &expires, &revoked)
	v.WithLog, v.CreatedAt, v.ExpiresAt, v.RevokedAt = log == 1, moment(created), moment(expires), moment(revoked)
	return v, err
}

// InsertShare adds a link to a run and sets its id.
func (tx *Tx) InsertShare(ctx context.Context, v *domain.Share) error {
	return tx.insert(ctx, "link", &v.ID, "INSERT INTO share (hash, federation_id, run_id, with_log, created_by, created_at, expires_at, "+
		"revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		v.Hash, v.FederationID, v.RunID, bit(v.WithLog), v.CreatedBy, millis(v.CreatedAt), millis(v.ExpiresAt), millis(v.RevokedAt))
}

// RevokeShare ends a link.
func (tx *Tx) RevokeShare(ctx context.Context, v domain.Share) error {
	return tx.one(ctx, "link", "UPDATE share SET revoked_at = $2 WHERE id = $1", v.ID, millis(v.RevokedAt))
}

// ShareByHash returns the link of a secret, ended ones too.
func (tx *Tx) ShareByHash(ctx context.Context, hash []byte) (domain.Share, error) {
	return get(ctx, tx, "link", scanShare, "SELECT "+shareColumns+" FROM share WHERE hash = $1", hash)
}

// Shares returns the links to a run, newest first.
func (tx *Tx) Shares(ctx context.Context, runID int64) ([]domain.Share, error) {
	return list(ctx, tx, "link", scanShare, "SELECT "+shareColumns+" FROM share WHERE run_id = $1 ORDER BY id DESC", runID)
}
