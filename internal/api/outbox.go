package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
)

func (a *api) outbox() {
	add(a, op("list-mails", http.MethodGet, "/mails", "The newest mails of the outbox", signedIn), a.listMails)
	add(a, op("resend-mail", http.MethodPost, "/mails/{id}/resend", "Queue a mail of the outbox again", signedIn), a.resendMail)
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
		out = append(out, client.Mail{ID: m.ID, To: m.To, Subject: m.Subject, Text: m.Text, State: string(m.State), LastError: m.LastError,
			CreatedAt: m.CreatedAt})
	}
	return answer(out), nil
}

func (a *api) resendMail(ctx context.Context, in *MailPath) (*none, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	return nil, a.Mail.Resend(ctx, callerOf(ctx).actor, in.ID)
}

// MailPath names a mail.
type MailPath struct {
	ID int64 `path:"id" minimum:"1"`
}
