package runs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"blossomtune/internal/domain"
)

// LinkEnded is the kind of a run's event that one of its links was taken back: who watches with it is not to see what comes.
const LinkEnded = "link"

// maxShares is how many working links a run has at most.
const maxShares = 20

func shareHash(secret string) []byte {
	sum := sha256.Sum256([]byte("blossomtune-share:" + secret))
	return sum[:]
}

// Share makes a link to a run and returns its secret, which is given out this once.
func (s *Service) Share(ctx context.Context, actor domain.Actor, run domain.Run, days int, withLog bool) (secret string, share domain.Share, err error) {
	if days < 1 || days > domain.MaxShareDays {
		return "", share, domain.Errorf(domain.Invalid, "A link works for 1 to %d days.", domain.MaxShareDays).At("days")
	}
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	secret = hex.EncodeToString(raw)
	now := s.Clock().UTC()
	share = domain.Share{Hash: shareHash(secret), FederationID: run.FederationID, RunID: run.ID, WithLog: withLog, CreatedBy: actor.Name, CreatedAt: now, ExpiresAt: now.Add(time.Duration(days) * 24 * time.Hour)}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		all, err := tx.Shares(ctx, run.ID)
		if err != nil {
			return err
		}
		good := 0
		for _, o := range all {
			if o.Good(now) {
				good++
			}
		}
		if good >= maxShares {
			return domain.Errorf(domain.Limited, "This run has %d working links.", good).Fix("Revoke the ones that are no longer needed.")
		}
		if err := tx.InsertShare(ctx, &share); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.reporter.Entry(actor, run, "run.shared", shareDetail(share)))
	})
	return secret, share, err
}

func shareDetail(v domain.Share) map[string]string {
	return map[string]string{"link": strconv.FormatInt(v.ID, 10), "with_log": strconv.FormatBool(v.WithLog), "until": v.ExpiresAt.Format(time.RFC3339)}
}

// Shares returns the links to a run, newest first.
func (s *Service) Shares(ctx context.Context, run domain.Run) (out []domain.Share, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.Shares(ctx, run.ID); return err })
	return out, err
}

// RevokeShare ends a link to a run at once; ending an ended one changes nothing.
func (s *Service) RevokeShare(ctx context.Context, actor domain.Actor, run domain.Run, id int64) error {
	err := s.Store.InTx(ctx, func(tx Tx) error {
		all, err := tx.Shares(ctx, run.ID)
		if err != nil {
			return err
		}
		for _, v := range all {
			if v.ID != id {
				continue
			}
			if !v.RevokedAt.IsZero() {
				return nil
			}
			v.RevokedAt = s.Clock().UTC()
			if err := tx.RevokeShare(ctx, v); err != nil {
				return err
			}
			return tx.InsertAudit(ctx, s.reporter.Entry(actor, run, "run.share_revoked", shareDetail(v)))
		}
		return domain.Errorf(domain.NotFound, "%s has no such link.", run.Name)
	})
	if err == nil {
		s.reporter.Publish(run, LinkEnded)
	}
	return err
}

// Shared returns the run that a link's secret opens. One that has run out or was taken back is a [domain.Expired] error.
func (s *Service) Shared(ctx context.Context, secret string) (share domain.Share, run domain.Run, fed domain.Federation, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if share, err = tx.ShareByHash(ctx, shareHash(secret)); err != nil {
			return err
		}
		if run, err = tx.RunByID(ctx, share.RunID); err != nil {
			return err
		}
		if err := checkThere(run); err != nil {
			return err
		}
		fed, err = tx.FederationByID(ctx, share.FederationID)
		return err
	})
	switch {
	case domain.CodeOf(err) == domain.NotFound:
		err = domain.Errorf(domain.NotFound,
			"This link does not exist.").Fix("Check that it is complete, or ask the person who sent it for another one.")
	case err == nil && !share.RevokedAt.IsZero():
		err = domain.Errorf(domain.Expired, "This link was revoked.").Fix("Ask the person who sent it for another one.")
	case err == nil && !share.Good(s.Clock()):
		err = domain.Errorf(domain.Expired, "This link worked until %s.",
			share.ExpiresAt.Format("2 January 2006, 15:04 MST")).Fix("Ask the person who sent it for another one.")
	}
	return share, run, fed, err
}
