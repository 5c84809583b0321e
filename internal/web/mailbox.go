package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/domain"
)

const mailsShown = 200

// mail is the outbox: what was sent, and what waits. The text of held mails is shown, since nobody else will deliver them.
func (s *server) mail(w http.ResponseWriter, r *http.Request, v *visit) error {
	all, err := s.Outbox.Mails(r.Context(), mailsShown)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Mail", nav: "admin", mid: true, events: "/admin/mail/events"}, mailPage(all, s.Outbox.Configured()))
	return nil
}

func (s *server) mailEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.follow(w, r, anAdmin, v, view{
		topics: []string{mailTopic},
		look: func(ctx context.Context, _ *visit) ([]region, []signal, error) {
			all, err := s.Outbox.Mails(ctx, mailsShown)
			return []region{{"mails", mailList(all)}}, nil, err
		},
	})
}

// resendMail puts a mail that was given up back into the queue.
func (s *server) resendMail(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return domain.Errorf(domain.NotFound, "There is no such mail.")
	}
	if err := s.Outbox.Resend(r.Context(), v.actor(), id); err != nil {
		return err
	}
	return s.done(w, r, "/admin/mail", "The mail is on its way again.")
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
