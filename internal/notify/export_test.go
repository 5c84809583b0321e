package notify

import (
	"context"
	"net/netip"
	"time"

	"blossomtune/internal/domain"
)

// SendDue sends all deliveries that are due now, as [Service.Deliver] does.
func (s *Service) SendDue(ctx context.Context) error {
	var due []int64
	err := s.Store.View(ctx, func(tx Tx) (err error) { due, err = tx.WebhooksDue(ctx, s.now()); return err })
	for _, id := range due {
		if err == nil {
			err = s.drain(ctx, id)
		}
	}
	return err
}

// Public is [public], of an address in text.
func Public(a string) bool { return public(netip.MustParseAddr(a)) }

// Sign is [sign].
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	return sign(secret, id, at, body)
}

// CheckURL is [checkURL].
func CheckURL(text string, shape domain.WebhookShape, private bool) error {
	return checkURL(text, shape, private)
}

// Settle does all that is due now.
func (s *Service) Settle(ctx context.Context) error {
	for {
		more, err := s.step(ctx)
		if err != nil || !more {
			return err
		}
	}
}
