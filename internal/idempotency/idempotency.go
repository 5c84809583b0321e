// Package idempotency lets a caller of the API repeat a call whose answer was lost: a call with the same key gets the answer of the first
// one and changes nothing. The header and its use follow the IETF draft "The Idempotency-Key HTTP Header Field". What a call does is not
// here.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"blossomtune/internal/domain"
)

const (
	// Keeps is how long an answer is kept.
	Keeps = 24 * time.Hour
	// MaxKey is how long a key may be, in bytes.
	MaxKey = 200

	interrupted = 2 * time.Minute // a call that takes longer than this has lost its server
)

// Tx is what the package needs of a transaction.
type Tx interface {
	ClaimCall(ctx context.Context, c domain.IdempotentCall) (earlier *domain.IdempotentCall, err error)
	AnswerCall(ctx context.Context, c domain.IdempotentCall) error
	ForgetCall(ctx context.Context, personID int64, keyHash string) error
	ForgetCallsBefore(ctx context.Context, at time.Time) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
}

// Service keeps answers. Its methods are safe for concurrent use. It changes nothing that people see, so it writes no audit entries.
type Service struct {
	Store Store
	Clock domain.Clock
}

// Call is one call with a key.
type Call struct {
	PersonID int64
	Key      string
	Request  []byte // method, path and body
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Begin claims the key of a call. If the same call was answered before, that answer is returned, and the call must not be carried out. An
// error is one that the caller of the API is told: the key is malformed, was used for another call, or the first call has no answer.
func (s *Service) Begin(ctx context.Context, c Call) (answered *domain.IdempotentCall, err error) {
	if err := checkKey(c.Key); err != nil {
		return nil, err
	}
	now := s.Clock().UTC()
	mine := domain.IdempotentCall{PersonID: c.PersonID, KeyHash: digest([]byte(c.Key)), Request: digest(c.Request), CreatedAt: now}
	var earlier *domain.IdempotentCall
	err = s.Store.InTx(ctx, func(tx Tx) (err error) {
		if err := tx.ForgetCallsBefore(ctx, now.Add(-Keeps)); err != nil {
			return err
		}
		earlier, err = tx.ClaimCall(ctx, mine)
		return err
	})
	if err != nil || earlier == nil {
		return nil, err
	}
	return earlier, refusal(*earlier, mine)
}

// refusal is why a call cannot be answered as an earlier one with its key was; nil if it can.
func refusal(earlier, now domain.IdempotentCall) error {
	switch {
	case earlier.Request != now.Request:
		return domain.Errorf(domain.Invalid, "This Idempotency-Key was used for another call.").
			Fix("Use a new key for each call; the same one only to repeat a call.")
	case earlier.Withheld:
		return domain.Errorf(domain.Conflict, "This call was carried out before. Its answer held a secret, which is given out once.").
			Fix("Revoke what it created, and call again with a new key.")
	case earlier.Status != 0:
		return nil
	case now.CreatedAt.Sub(earlier.CreatedAt) < interrupted:
		return domain.Errorf(domain.Conflict, "A call with this Idempotency-Key is being carried out.").Fix("Repeat it in a few seconds.")
	}
	return domain.Errorf(domain.Conflict, "The first call with this Idempotency-Key was interrupted; it may have been carried out.").
		Fix("Look whether it was, and call again with a new key if not.")
}

// End keeps the answer of a call that succeeded, but for one that holds a secret; of that, only that the call succeeded. After any other
// answer the key is free again: nothing was changed.
func (s *Service) End(ctx context.Context, c Call, status int, answer string, secret bool) error {
	done := domain.IdempotentCall{PersonID: c.PersonID, KeyHash: digest([]byte(c.Key)), Status: status, Answer: answer, Withheld: secret}
	if secret {
		done.Answer = ""
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		if status/100 != 2 {
			return tx.ForgetCall(ctx, done.PersonID, done.KeyHash)
		}
		return tx.AnswerCall(ctx, done)
	})
}

// Forget removes what is older than [Keeps].
func (s *Service) Forget(ctx context.Context) error {
	before := s.Clock().UTC().Add(-Keeps)
	return s.Store.InTx(ctx, func(tx Tx) error { return tx.ForgetCallsBefore(ctx, before) })
}

func checkKey(key string) error {
	if len(key) > MaxKey {
		return domain.Errorf(domain.Invalid, "This Idempotency-Key is too long.").Fix("Use at most %d characters.", MaxKey)
	}
	for _, b := range []byte(key) {
		if b < '!' || b > '~' {
			return domain.Errorf(domain.Invalid, "An Idempotency-Key has letters, digits and other printable ASCII characters without spaces.").
				Fix("Use a random UUID, for example.")
		}
	}
	return nil
}
