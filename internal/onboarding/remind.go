package onboarding

import (
	"context"
	"errors"
	"strconv"
	"time"

	"blossomtune/internal/domain"
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
	to, err := s.managers(ctx, tx, fedID)
	if err != nil {
		return err
	}
	for _, address := range to {
		if err := s.mail(ctx, tx, address, s.waitingMail(fed, waiting)); err != nil {
			return err
		}
	}
	return tx.PutSetting(ctx, key, strconv.FormatInt(s.now().UnixMilli(), 10))
}

// managers are the addresses of a federation's managers; where nobody was given that role, of the instance's admins.
func (s *Service) managers(ctx context.Context, tx Tx, fedID int64) (to []string, err error) {
	grants, err := tx.RoleGrants(ctx, fedID)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if g.Role == domain.RoleManager && g.Person.Email != "" {
			to = append(to, g.Person.Email)
		}
	}
	if len(to) > 0 {
		return to, nil
	}
	admins, err := tx.People(ctx, domain.PeopleFilter{Admins: true, Limit: 100})
	for _, p := range admins {
		if p.Email != "" && !p.Host() {
			to = append(to, p.Email)
		}
	}
	return to, err
}
