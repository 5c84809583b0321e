package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
)

func (a *api) outbox() {
	add(a, op("list-mails", http.MethodGet, "/mails", "The newest mails of the outbox", signedIn), a.listMails)
}

func (a *api) listMails(ctx context.Context, _ *none) (*body[[]client.Mail], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	all, err := a.Mail.Mails(ctx, 100)
	if err != nil {
		return nil, err
	}
	out := []client.Mail{}
	for _, m := range all {
		out = append(out, client.Mail{To: m.To, Subject: m.Subject, Text: m.Text, State: string(m.State), LastError: m.LastError, CreatedAt: m.CreatedAt})
	}
	return answer(out), nil
}
