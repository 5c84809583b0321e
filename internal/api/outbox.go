package api

import (
	"context"
	"net/http"
	"time"
)

// Mail is one mail of the outbox.
type Mail struct {
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text" doc:"Empty once it was sent"`
	State     string    `json:"state" enum:"queued,held,sent,dead"`
	LastError string    `json:"last_error,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

func (a *api) outbox() {
	add(a, op("list-mails", http.MethodGet, "/mails", "The newest mails of the outbox", signedIn), a.listMails)
}

func (a *api) listMails(ctx context.Context, _ *none) (*body[[]Mail], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	all, err := a.Mail.Mails(ctx, 100)
	if err != nil {
		return nil, err
	}
	out := []Mail{}
	for _, m := range all {
		out = append(out, Mail{To: m.To, Subject: m.Subject, Text: m.Text, State: string(m.State), LastError: m.LastError, CreatedAt: m.CreatedAt})
	}
	return answer(out), nil
}
