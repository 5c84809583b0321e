package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const mailsShown = 200

// Mail is the outbox: what was sent, and what waits. The text of held mails is shown, since nobody else will deliver them.
func (s *Pages) Mail(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	all, err := s.Outbox.Mails(r.Context(), 0, mailsShown)
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Mail", Nav: "admin", Mid: true, Events: "/admin/mail/events"},
		mailPage(all, s.Outbox.Configured()))
	return nil
}

// MailEvents keeps the page of mails live.
func (s *Pages) MailEvents(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.Live.Follow(w, r, visit.Admin, v, live.View{
		Topics: []string{live.MailTopic},
		Look: func(ctx context.Context, _ *visit.Visit) ([]live.Region, []live.Signal, error) {
			all, err := s.Outbox.Mails(ctx, 0, mailsShown)
			return []live.Region{{ID: "mails", Body: mailList(all)}}, nil, err
		},
	})
}

// ResendMail puts a mail that was given up back into the queue.
func (s *Pages) ResendMail(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return domain.Errorf(domain.NotFound, "There is no such mail.")
	}
	if err := s.Outbox.Resend(r.Context(), v.Actor(), id); err != nil {
		return err
	}
	return s.Done(w, r, "/admin/mail", "The mail is on its way again.")
}

// mailReason is what a mail waits for or failed of.
func mailReason(m domain.Mail) string {
	if m.State == domain.MailSent {
		return ""
	}
	return m.LastError
}

func mailTime(m domain.Mail) time.Time {
	if m.SentAt.IsZero() {
		return m.CreatedAt
	}
	return m.SentAt
}
