package onboarding

import (
	"context"
	"errors"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
)

// remindGap is the least time between two mails to the managers of a federation about requests that wait.
const remindGap = 15 * time.Minute

// RemindAll mails the managers of each federation in which requests came since the last mail to them, at most one mail in 15
// minutes. [Service.Verify] does so at once where it may; this is for those that came too soon after.
func (s *Service) RemindAll(ctx context.Context) error {
	feds, err := s.Federations(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range feds {
		errs = append(errs, s.Store.InTx(ctx, func(tx Tx) error { return s.remind(ctx, tx, f.ID) }))
	}
	s.MailWake()
	return errors.Join(errs...)
}

func (s *Service) remind(ctx context.Context, tx Tx, fedID int64) error {
	key := "reminded:" + strconv.FormatInt(fedID, 10)
	text, err := tx.Setting(ctx, key)
	if err != nil {
		return err
	}
	ms, _ := strconv.ParseInt(text, 10, 64) // none yet: long ago
	last := time.UnixMilli(ms)
	if s.now().Sub(last) < remindGap {
		return nil
	}
	waiting, err := tx.Requests(ctx, domain.RequestFilter{FederationID: fedID, States: []domain.RequestState{domain.Pending}, Limit: 100})
	if err != nil {
		return err
	}
	fresh := false
	for _, r := range waiting {
		fresh = fresh || r.VerifiedAt.After(last)
	}
	if !fresh {
		return nil
	}
	fed, err := tx.FederationByID(ctx, fedID)
	if err != nil {
		return err
	}
	to, err := notify.Recipients(ctx, tx, fedID, domain.NoticeRequests)
	if err != nil {
		return err
	}
	for _, r := range to {
		if r.Mode != domain.NoticeNow {
			continue // the notice waits for their daily mail
		}
		if err := s.mail(ctx, tx, r.Person.Email, s.waitingMail(fed, waiting)); err != nil {
			return err
		}
	}
	err = tx.InsertNotice(ctx, &domain.Notice{Kind: domain.NoticeRequests, FederationID: fedID, About: "requests:" +
		strconv.FormatInt(fedID, 10), At: s.now(),
		Facts: domain.NoticeFacts{People: len(waiting)}})
	if err != nil {
		return err
	}
	return tx.PutSetting(ctx, key, strconv.FormatInt(s.now().UnixMilli(), 10))
}
