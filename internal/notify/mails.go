package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// mailDue writes one mail to each person for whom something is due, and returns for how many it did.
func (s *Service) mailDue(ctx context.Context) (int, error) {
	var people []int64
	now := s.now()
	err := s.Store.View(ctx, func(tx Tx) (err error) { people, err = tx.PeopleDueNotices(ctx, now, batch); return err })
	if err != nil {
		return 0, err
	}
	for _, id := range people {
		if err := s.Store.InTx(ctx, func(tx Tx) error { return s.mailPerson(ctx, tx, id, now) }); err != nil {
			return 0, err
		}
	}
	if len(people) > 0 {
		s.MailWake()
	}
	return len(people), nil
}

// mailPerson writes one mail with all that is due for a person, or postpones it where they got enough mails in this hour.
func (s *Service) mailPerson(ctx context.Context, tx Tx, id int64, now time.Time) error {
	meter, err := tx.NoticeMeter(ctx, id)
	if err != nil {
		return err
	}
	if now.Sub(meter.Since) >= time.Hour || meter.Since.After(now) {
		meter = domain.NoticeMeter{PersonID: id, Since: now}
	}
	if meter.Mails >= MailsPerHour {
		return tx.PostponeNotices(ctx, id, now, meter.Since.Add(time.Hour))
	}
	count, err := tx.CountDueNotices(ctx, id, now)
	if err != nil {
		return err
	}
	due, err := tx.DueNotices(ctx, id, now, itemsInMail)
	if err != nil {
		return err
	}
	person, err := tx.PersonByID(ctx, id)
	if err != nil {
		return err
	}
	told, err := s.seen(ctx, tx, person, due)
	if err != nil {
		return err
	}
	if len(told) > 0 && person.Email != "" {
		m := s.compose(told, count-len(due))
		m.To, m.State, m.CreatedAt, m.NextAt = person.Email, s.MailState(), now, now
		if err := tx.InsertMail(ctx, &m); err != nil {
			return err
		}
		meter.Mails++
		if err := tx.PutNoticeMeter(ctx, meter); err != nil {
			return err
		}
	}
	return tx.DropDueNotices(ctx, id, now)
}

// item is a notice with the federation that it is about.
type item struct {
	domain.NoticeItem
	fed domain.Federation // ID 0: the instance
}

// seen returns those notices that a person may still see: their role may have ended while the notices waited.
func (s *Service) seen(ctx context.Context, tx Tx, p domain.Person, due []domain.NoticeItem) (out []item, err error) {
	feds := map[int64]domain.Federation{}
	manages := map[int64]bool{}
	for _, d := range due {
		id := d.Notice.FederationID
		fed, known := feds[id]
		if !known && id != 0 {
			role, err := tx.GrantedRole(ctx, p.ID, id)
			if err != nil {
				return nil, err
			}
			if p.Admin || role.AtLeast(domain.RoleViewer) {
				if fed, err = tx.FederationByID(ctx, id); err != nil {
					return nil, err
				}
			}
			feds[id], manages[id] = fed, p.Admin || role.AtLeast(domain.RoleManager)
		}
		if id == 0 && p.Admin || fed.ID != 0 && (manages[id] || !d.Notice.Kind.ForManagers()) {
			out = append(out, item{d, fed})
		}
	}
	return out, nil
}

// compose writes the mail about some notices; more are due and not told one by one.
func (s *Service) compose(all []item, more int) domain.Mail {
	daily := true
	summary := headline(all[0])
	var parts []string
	for _, v := range all {
		daily = daily && v.Daily
		parts = append(parts, s.text(v))
	}
	if len(all)+more > 1 {
		summary = fmt.Sprintf("%d notifications%s", len(all)+more, within(all))
	}
	if daily {
		summary = "Daily summary: " + summary
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("And %d more.", more))
	}
	return s.Texts.Mail(site.MailNotice, map[string]string{"summary": domain.Cut(summary, 180), "text": strings.Join(parts, "\n\n"),
		"preferences": s.PublicURL() + "/me/account/notifications"})
}

// within is " in Cardio" where all notices are about one federation.
func within(all []item) string {
	for _, v := range all {
		if v.fed.ID != all[0].fed.ID {
			return ""
		}
	}
	if all[0].fed.ID == 0 {
		return " about this server"
	}
	return " in " + all[0].fed.Name
}
