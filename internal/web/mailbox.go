package web

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
)

const mailsShown = 200

// mail is the outbox: what was sent, and what waits. The text of held mails is shown, since nobody else will deliver them.
func (s *server) mail(w http.ResponseWriter, r *http.Request, v *visit) error {
	all, err := s.Outbox.Mails(r.Context(), mailsShown)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Mail", nav: "mail", mid: true, events: "/admin/mail/events"}, mailPage(all, s.Outbox.Configured()))
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

// mailReason is what a mail waits for or failed of.
func mailReason(m domain.Mail) string {
	if m.State == domain.MailSent {
		return ""
	}
	return m.LastError
}
