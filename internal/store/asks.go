package store

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

const askColumns = "ref, federation_id, email, name, organisation, message, invitation_id, created_at, request_id, code_tries, " +
	"code_sent, code_sent_at"

func scanAsk(s scanner) (a domain.Ask, err error) {
	var created, sent int64
	err = s.Scan(&a.Ref, &a.FederationID, &a.Email, &a.Name, &a.Organisation, &a.Message, &a.InvitationID, &created, &a.RequestID,
		&a.CodeTries, &a.CodeSent, &sent)
	a.CreatedAt, a.CodeSentAt = moment(created), moment(sent)
	return a, err
}

// InsertAsk keeps what somebody asked.
func (tx *Tx) InsertAsk(ctx context.Context, a domain.Ask) error {
	return tx.exec(ctx, "ask", "INSERT INTO ask ("+askColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		a.Ref, a.FederationID, a.Email, a.Name, a.Organisation, a.Message, a.InvitationID, millis(a.CreatedAt), a.RequestID, a.CodeTries,
		a.CodeSent, millis(a.CodeSentAt))
}

// UpdateAskCode stores what was told about the code of an ask.
func (tx *Tx) UpdateAskCode(ctx context.Context, a domain.Ask) error {
	return tx.one(ctx, "ask", "UPDATE ask SET code_tries = $2, code_sent = $3, code_sent_at = $4 WHERE ref = $1", a.Ref, a.CodeTries,
		a.CodeSent, millis(a.CodeSentAt))
}

// AskByRef returns what somebody asked who was told ref.
func (tx *Tx) AskByRef(ctx context.Context, ref string) (domain.Ask, error) {
	return get(ctx, tx, "request", scanAsk, "SELECT "+askColumns+" FROM ask WHERE ref = $1", ref)
}

// OpenAsks returns the oldest asks that are not settled.
func (tx *Tx) OpenAsks(ctx context.Context, n int) ([]domain.Ask, error) {
	return list(ctx, tx, "ask", scanAsk, "SELECT "+askColumns+" FROM ask WHERE request_id = 0 ORDER BY created_at, ref LIMIT $1", n)
}

// SettleAsk notes the request that an ask came to; what was entered is with that.
func (tx *Tx) SettleAsk(ctx context.Context, ref string, requestID int64) error {
	return tx.one(ctx, "ask", "UPDATE ask SET request_id = $2, name = '', organisation = '', message = '' WHERE ref = $1", ref, requestID)
}

// DropAsk forgets an ask that can come to nothing.
func (tx *Tx) DropAsk(ctx context.Context, ref string) error {
	return tx.exec(ctx, "ask", "DELETE FROM ask WHERE ref = $1", ref)
}

// DropAsksBefore forgets asks that were settled and are older.
func (tx *Tx) DropAsksBefore(ctx context.Context, at time.Time) error {
	return tx.exec(ctx, "ask", "DELETE FROM ask WHERE created_at < $1 AND request_id > 0", millis(at))
}
