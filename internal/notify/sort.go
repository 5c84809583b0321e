package notify

import (
	"context"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

// sort hands notices to their recipients, in the order in which they were written, and returns how many it handled.
func (s *Service) sort(ctx context.Context) (n int, err error) {
	var open []domain.Notice
	err = s.Store.View(ctx, func(tx Tx) (err error) { open, err = tx.UnsortedNotices(ctx, batch); return err })
	if err != nil {
		return 0, err
	}
	if len(open) == 0 {
		return 0, nil
	}
	return len(open), s.Store.InTx(ctx, func(tx Tx) error {
		for _, notice := range open {
			if err := s.hand(ctx, tx, notice); err != nil {
				return err
			}
		}
		return nil
	})
}

// hand gives one notice to everyone who wants it.
func (s *Service) hand(ctx context.Context, tx Tx, n domain.Notice) error {
	to, err := Recipients(ctx, tx, n.FederationID, n.Kind)
	if err != nil {
		return err
	}
	now := s.now()
	for _, r := range to {
		item := domain.NoticeItem{PersonID: r.Person.ID, Notice: n, DueAt: now, Daily: r.Mode == domain.NoticeDaily}
		if item.Daily {
			item.DueAt = nextDigest(now)
		} else if mailedElsewhere(n.Kind) {
			continue
		}
		if err := tx.InsertNoticeItem(ctx, item); err != nil {
			return err
		}
	}
	if err := queue(ctx, tx, n, now); err != nil {
		return err
	}
	return tx.NoticeSorted(ctx, n.ID, now)
}

// queue gives a notice to the webhooks that want it: those of its federation, and those of the instance.
func queue(ctx context.Context, tx Tx, n domain.Notice, now time.Time) error {
	feds := []int64{0}
	if n.FederationID != 0 {
		feds = append(feds, n.FederationID)
	}
	for _, fedID := range feds {
		all, err := tx.Webhooks(ctx, fedID)
		if err != nil {
			return err
		}
		for _, w := range all {
			if !w.Wants(n.Kind) {
				continue
			}
			d := domain.Delivery{WebhookID: w.ID, Notice: n, State: domain.DeliveryQueued, NextAt: now, CreatedAt: now}
			if err := tx.InsertDelivery(ctx, &d); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextDigest is when the next daily mail is written.
func nextDigest(now time.Time) time.Time {
	at := time.Date(now.Year(), now.Month(), now.Day(), DigestHour, 0, 0, 0, time.UTC)
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// mailedElsewhere are kinds for which another mail is written at once, see onboarding's reminders; this package does only the daily one.
func mailedElsewhere(k domain.NoticeKind) bool { return k == domain.NoticeRequests }

// usual is how a person hears of a kind of notice unless they choose something else. Viewers choose for themselves; admins hear of a
// federation only where it has no manager.
func usual(granted domain.Role, admin, managed bool, k domain.NoticeKind) domain.NoticeMode {
	manages := granted == domain.RoleManager || admin && !managed
	switch {
	case !manages || k == domain.NoticeRunStarted || k == domain.NoticeRunStopped:
		return domain.NoticeOff
	case k == domain.NoticeUnconnected || k == domain.NoticeOverdue:
		return domain.NoticeDaily
	}
	return domain.NoticeNow
}

// managed reports whether one of some grants makes someone with an address a manager.
func managed(grants []domain.RoleGrant) bool {
	return slices.ContainsFunc(grants, func(g domain.RoleGrant) bool { return g.Role == domain.RoleManager && g.Person.Email != "" })
}

// Recipient is a person who is notified of something.
type Recipient struct {
	Person domain.Person
	Mode   domain.NoticeMode // never [domain.NoticeOff]
}

// RecipientsTx is what [Recipients] needs of a transaction.
type RecipientsTx interface {
	NoticePrefs(ctx context.Context, fedID int64, kind domain.NoticeKind) ([]domain.NoticePref, error)
	RoleGrants(ctx context.Context, fedID int64) ([]domain.RoleGrant, error)
	People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error)
}

// Recipients returns who is mailed about a kind of notice in a federation, 0 for the instance. Where a federation has managers, its notices
// are for them, and for admins only if they chose so.
func Recipients(ctx context.Context, tx RecipientsTx, fedID int64, k domain.NoticeKind) ([]Recipient, error) {
	var all []Recipient
	at := map[int64]int{} // where a person is in all
	add := func(p domain.Person, m domain.NoticeMode) {
		if _, known := at[p.ID]; !known && p.Email != "" && !p.Host() {
			at[p.ID] = len(all)
			all = append(all, Recipient{p, m})
		}
	}
	var grants []domain.RoleGrant
	var err error
	if fedID != 0 {
		if grants, err = tx.RoleGrants(ctx, fedID); err != nil {
			return nil, err
		}
	}
	for _, g := range grants {
		if k.ForManagers() && !g.Role.AtLeast(domain.RoleManager) {
			continue // an admin among them is added below
		}
		add(g.Person, usual(g.Role, g.Person.Admin, managed(grants), k))
	}
	admins, err := tx.People(ctx, domain.PeopleFilter{Admins: true, Limit: 100})
	if err != nil {
		return nil, err
	}
	for _, p := range admins {
		add(p, usual(domain.RoleNone, true, managed(grants), k))
	}
	prefs, err := tx.NoticePrefs(ctx, fedID, k)
	if err != nil {
		return nil, err
	}
	for _, p := range prefs {
		if i, known := at[p.PersonID]; known {
			all[i].Mode = p.Mode
		}
	}
	return slices.DeleteFunc(all, func(r Recipient) bool { return r.Mode == domain.NoticeOff }), nil
}
