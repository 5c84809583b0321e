package store

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// ClaimCall stores a call that begins, unless one of the same person with the same key is stored: then that one is returned.
func (tx *Tx) ClaimCall(ctx context.Context, c domain.IdempotentCall) (earlier *domain.IdempotentCall, err error) {
	res, err := tx.q.ExecContext(ctx, `INSERT INTO idempotent_call (person_id, key_hash, request, status, answer, withheld, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (person_id, key_hash) DO NOTHING`,
		c.PersonID, c.KeyHash, c.Request, c.Status, c.Answer, bit(c.Withheld), millis(c.CreatedAt))
	if err != nil {
		return nil, fmt.Errorf("writing call: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return nil, err
	}
	old, err := get(ctx, tx, "call", func(s scanner) (o domain.IdempotentCall, err error) {
		var withheld, at int64
		err = s.Scan(&o.PersonID, &o.KeyHash, &o.Request, &o.Status, &o.Answer, &withheld, &at)
		o.Withheld, o.CreatedAt = withheld == 1, moment(at)
		return o, err
	}, `SELECT person_id, key_hash, request, status, answer, withheld, created_at FROM idempotent_call
		WHERE person_id = $1 AND key_hash = $2`, c.PersonID, c.KeyHash)
	return &old, err
}

// AnswerCall stores what a claimed call was answered.
func (tx *Tx) AnswerCall(ctx context.Context, c domain.IdempotentCall) error {
	return tx.exec(ctx, "call", "UPDATE idempotent_call SET status = $3, answer = $4, withheld = $5 WHERE person_id = $1 AND key_hash = $2",
		c.PersonID, c.KeyHash, c.Status, c.Answer, bit(c.Withheld))
}

// ForgetCall removes a call: its key can be used again.
func (tx *Tx) ForgetCall(ctx context.Context, personID int64, keyHash string) error {
	return tx.exec(ctx, "call", "DELETE FROM idempotent_call WHERE person_id = $1 AND key_hash = $2", personID, keyHash)
}

// ForgetCallsBefore removes the calls that began before a time.
func (tx *Tx) ForgetCallsBefore(ctx context.Context, at time.Time) error {
	return tx.exec(ctx, "call", "DELETE FROM idempotent_call WHERE created_at < $1", millis(at))
}

// forgetCallsOf removes a person's calls when their rights may have changed: no answer of before is given out again.
func (tx *Tx) forgetCallsOf(ctx context.Context, personID int64) error {
	return tx.exec(ctx, "call", "DELETE FROM idempotent_call WHERE person_id = $1", personID)
}
