package onboarding_test

import (
	"context"
	"errors"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

// failing is a database that takes no audit rows.
type failing struct{ onboarding.Store }

type failingTx struct{ onboarding.Tx }

var errNoAudit = errors.New("no audit row can be written")

func (f failing) InTx(ctx context.Context, fn func(onboarding.Tx) error) error {
	return f.Store.InTx(ctx, func(tx onboarding.Tx) error { return fn(failingTx{tx}) })
}

func (failingTx) InsertAudit(context.Context, domain.AuditEntry) error { return errNoAudit }

// mailTakes stands in for the name service, which tests do not ask.
func mailTakes(_ context.Context, host string) error {
	if host == "nomail.example" {
		return domain.Errorf(domain.Invalid, "%s takes no mail.", host).At("email")
	}
	return nil
}
