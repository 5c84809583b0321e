package account_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// desk is the account service with a clock that a test moves.
type desk struct {
	*account.Service
	t   *testing.T
	db  *store.DB
	now time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, db: storetest.SQLite(t), now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	d.Service = account.New(account.Options{Store: store.Adapt[account.Tx](d.db), Clock: func() time.Time { return d.now }, Admins: []string{" Boss@Example.org "},
		PublicURL: func() string { return "https://fl.example.org" }, MailState: func() domain.MailState { return domain.MailHeld }, MailWake: func() {}})
	return d
}

func (d *desk) person(email string) domain.Person {
	d.t.Helper()
	p := domain.Person{Email: email, Name: "N"}
	if err := d.db.InTx(d.t.Context(), func(tx *store.Tx) error { return tx.InsertPerson(d.t.Context(), &p) }); err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *desk) mails() (out []domain.Mail) {
	d.t.Helper()
	if err := d.db.View(d.t.Context(), func(tx *store.Tx) (err error) { out, err = tx.Mails(d.t.Context(), 0, 100); return err }); err != nil {
		d.t.Fatal(err)
	}
	return out
}

// link reads the newest mailed link's secret.
func (d *desk) link() string {
	d.t.Helper()
	_, rest, ok := strings.Cut(d.mails()[0].Text, "https://fl.example.org/signin/")
	if !ok {
		d.t.Fatalf("no link in %q", d.mails()[0].Text)
	}
	return strings.Fields(rest)[0]
}

func (d *desk) want(err error, code domain.Code) {
	d.t.Helper()
	if got := domain.CodeOf(err); got != code {
		d.t.Errorf("got %q (%v), want %q", got, err, code)
	}
}

func TestTheFirstAdminIsMadeOnce(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	old, ok, err := d.NewSetupLink(ctx)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	secret, _, err := d.NewSetupLink(ctx) // a restart prints a new one
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Setup(ctx, old, "a@example.org", "A")
	d.want(err, domain.Expired)
	_, err = d.Setup(ctx, secret, "no address", "A")
	d.want(err, domain.Invalid)
	_, err = d.UseLink(ctx, secret) // it is not for signing in
	d.want(err, domain.Invalid)
	p, err := d.Setup(ctx, secret, "A@Example.org", " A ")
	if err != nil || !p.Admin || p.Email != "a@example.org" {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = d.Setup(ctx, secret, "b@example.org", "B")
	d.want(err, domain.Expired)
	if _, ok, err := d.NewSetupLink(ctx); ok || err != nil {
		t.Errorf("there is a setup link beside an admin: %v", err)
	}
}

func TestLinksSignInOnce(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	p := d.person("a@example.org")
	d.want(d.MailSignInLink(ctx, "A@example.org", "192.0.2.1"), "")
	d.want(d.MailSignInLink(ctx, "nobody@example.org", "192.0.2.2"), "") // and says nothing else
	if n := len(d.mails()); n != 1 {
		t.Fatalf("%d mails", n)
	}
	secret := d.link()
	if _, err := d.Link(ctx, secret); err != nil {
		t.Error(err)
	}
	got, err := d.UseLink(ctx, secret)
	if err != nil || got.ID != p.ID || got.Admin {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = d.UseLink(ctx, secret)
	d.want(err, domain.Expired)
	late, err := d.NewSignInLink(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(account.SignInLife + time.Second)
	_, err = d.UseLink(ctx, late)
	d.want(err, domain.Expired)
}

func TestConfiguredAdminsAreAdminsWhenTheyProveIt(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	d.want(d.MailSignInLink(ctx, "boss@example.org", "192.0.2.1"), "")
	p, err := d.UseLink(ctx, d.link())
	if err != nil || !p.Admin {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSignInMailsAreLimited(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	d.person("a@example.org")
	var err error
	for range 20 {
		if err = d.MailSignInLink(ctx, "a@example.org", "192.0.2.1"); err != nil {
			break
		}
	}
	d.want(err, domain.Limited)
	if n := len(d.mails()); n > 5 {
		t.Errorf("%d mails to one person", n)
	}
}

func TestSessionsEnd(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	p := d.person("a@example.org")
	secret, s, err := d.NewSession(ctx, p.ID, "192.0.2.1", strings.Repeat("x", 1000))
	if err != nil || len(s.Agent) > 200 {
		t.Fatal(err, len(s.Agent))
	}
	for range 5 { // in use
		d.now = d.now.Add(account.SessionIdle - time.Hour)
		got, _, err := d.Authenticate(ctx, secret)
		if d.now.After(s.ExpiresAt) {
			d.want(err, domain.Unauthenticated)
		} else if err != nil || got.ID != p.ID {
			t.Errorf("%+v, %v", got, err)
		}
	}
	idle, s, err := d.NewSession(ctx, p.ID, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.EndSession(ctx, s); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.Authenticate(ctx, idle)
	d.want(err, domain.Unauthenticated)
	idle, _, err = d.NewSession(ctx, p.ID, "", "")
	if err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(account.SessionIdle + time.Second)
	_, _, err = d.Authenticate(ctx, idle)
	d.want(err, domain.Unauthenticated)
	_, _, err = d.Authenticate(ctx, "forged")
	d.want(err, domain.Unauthenticated)
}

// A secret of one kind is never taken for one of another, and the database holds none of them.
func TestSecretsAreOfOneKind(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	p := d.person("a@example.org")
	token, made, err := d.CreateToken(ctx, domain.System, p.ID, "ci", domain.ScopeAll, time.Hour)
	if err != nil || !strings.HasPrefix(token, account.TokenPrefix) {
		t.Fatal(err)
	}
	session, _, err := d.NewSession(ctx, p.ID, "", "")
	if err != nil {
		t.Fatal(err)
	}
	link, err := d.NewSignInLink(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, strings.TrimPrefix(token, account.TokenPrefix), link} {
		_, _, err := d.Authenticate(ctx, secret)
		d.want(err, domain.Unauthenticated)
	}
	for _, secret := range []string{session, account.TokenPrefix + session, account.TokenPrefix + link, ""} {
		_, _, err := d.ByToken(ctx, secret)
		d.want(err, domain.Unauthenticated)
	}
	_, err = d.UseLink(ctx, session)
	d.want(err, domain.Expired)
	if got, _, err := d.ByToken(ctx, token); err != nil || got.ID != p.ID {
		t.Errorf("%+v, %v", got, err)
	}
	d.now = made.ExpiresAt.Add(time.Second)
	_, _, err = d.ByToken(ctx, token)
	d.want(err, domain.Unauthenticated)
	_, _, err = d.CreateToken(ctx, domain.System, p.ID, "for ever", domain.ScopeAll, account.MaxTokenLife+time.Hour)
	d.want(err, domain.Invalid)
}

func TestTheHostsAdminKeepsNobodyOut(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	p, err := d.HostAdmin(ctx)
	if err != nil || !p.Admin {
		t.Fatal(err)
	}
	again, err := d.HostAdmin(ctx)
	if err != nil || again.ID != p.ID {
		t.Error(again, err)
	}
	if _, ok, err := d.NewSetupLink(ctx); !ok || err != nil {
		t.Errorf("the first admin finds no setup link: %v", err)
	}
}

// Whether somebody is known is looked up after the answer.
func TestTheSignInMailIsWrittenAfterTheAnswer(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	var later []func(context.Context)
	d.Later = func(do func(context.Context)) { later = append(later, do) }
	d.want(d.MailSignInLink(ctx, "boss@example.org", "192.0.2.1"), "")
	d.want(d.MailSignInLink(ctx, "nobody@example.org", "192.0.2.2"), "")
	if n := len(d.mails()); n != 0 || len(later) != 2 {
		t.Fatalf("%d mails before the answer, %d things left", n, len(later))
	}
	for _, do := range later {
		do(ctx)
	}
	if all := d.mails(); len(all) != 1 || all[0].To != "boss@example.org" {
		t.Errorf("%+v", all)
	}
}
