package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
)

func (a *api) outbox() {
	add(a, op("list-mails", http.MethodGet, "/mails", "The mails of the outbox, newest first", signedIn), a.listMails)
	add(a, op("resend-mail", http.MethodPost, "/mails/{id}/resend", "Queue a mail of the outbox again", signedIn), a.resendMail)
}

type listMailsInput struct {
	After int64 `query:"after" minimum:"0" doc:"Only mails that are older than this one: the last id of the page before"`
	Limit int   `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Ask again with after for more"`
}

func (a *api) listMails(ctx context.Context, in *listMailsInput) (*body[[]client.Mail], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	all, err := a.Mail.Mails(ctx, in.After, in.Limit)
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
