package server

import (
	"context"

	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/events"
	"blossomtune/internal/idempotency"
	"blossomtune/internal/mail"
	"blossomtune/internal/notify"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/program"
	"blossomtune/internal/store"
)

// Rules are the parts that know no wire and no surface.
type Rules struct {
	Mail        *mail.Service
	Notify      *notify.Service
	Audit       *audit.Service
	Idempotency *idempotency.Service
	Accounts    *account.Service
	Onboarding  *onboarding.Service
	Catalog     *catalog.Service
}

func newRules(b base) (r Rules) {
	c, o := b.o.Config, b.o
	r.Mail = mail.New(mail.Options{Store: store.Adapt[mail.Tx](b.DB), Events: b.Events, Clock: o.Clock, Log: o.Log, Site: b.Site,
		Host: c.Mail.Host, Port: c.Mail.Port, User: c.Mail.User, Password: c.Mail.Password, From: c.Mail.From, TLS: c.Mail.TLS,
		Mailjet: mail.Mailjet{Key: c.Mailjet.Key, Secret: c.Mailjet.Secret, URL: c.Mailjet.URL}})
	r.Notify = notify.New(notify.Options{Store: store.Adapt[notify.Tx](b.DB), Clock: o.Clock, Log: o.Log, Texts: b.Site, PublicURL: b.url.get,
		MailState: r.Mail.State, MailWake: r.Mail.Wake, Sealer: b.sealer})
	r.Audit = &audit.Service{Store: store.Adapt[audit.Tx](b.DB), Clock: o.Clock}
	r.Idempotency = &idempotency.Service{Store: store.Adapt[idempotency.Tx](b.DB), Clock: o.Clock}
	r.Accounts = account.New(account.Options{Store: store.Adapt[account.Tx](b.DB), Clock: o.Clock, Admins: c.Admins,
		Providers: providers(c.SignIn), Texts: b.Site, PublicURL: b.url.get, MailState: r.Mail.State, MailWake: r.Mail.Wake, Log: o.Log,
		Later: b.Jobs.Go})
	r.Onboarding = onboarding.New(onboarding.Options{Store: store.Adapt[onboarding.Tx](b.DB), Events: b.Events, Clock: o.Clock,
		PublicURL: b.url.get, Pin: b.tls.Pin, Commands: b.joinCommands,
		MailState: r.Mail.State, MailWake: r.Mail.Wake, Texts: b.Site, MailTakes: mailTakes(r.Mail), Providers: len(r.Accounts.Ways()),
		NodesChanged: b.signal.Changed})
	r.Catalog = catalog.New(catalog.Options{Store: store.Adapt[catalog.Tx](b.DB), Clock: o.Clock, Log: o.Log, Build: b.python.BuildFAB,
		Contained: b.contained,
		Changed:   func() { b.Events.Publish(events.Event{Topic: catalog.Topic, Kind: "apps"}) }})
	return r
}

// joinCommands are what participants paste to get the program and join with it, without a token: the terminal shows a code.
func (b *base) joinCommands() string {
	at := b.url.get()
	return program.Block{Programs: b.programs.List(), Base: at, OwnCA: b.tls.CAPEM() != nil, Args: "join " + at}.Texts()
}

// mailTakes asks whether an address can get mail only where mail goes out.
func mailTakes(m *mail.Service) func(context.Context, string) error {
	if !m.Configured() {
		return nil
	}
	return m.Takes
}
