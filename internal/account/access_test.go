package account_test

import (
	"testing"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// An admin ends one or all of a person's sessions and tokens; nobody else's are touched, and the audit says who did it.
func TestAdminsEndAccess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := &desk{t: t, db: db, now: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)}
		d.Service = account.New(account.Options{Store: store.Adapt[account.Tx](db), Clock: func() time.Time { return d.now }})
		ctx := t.Context()
		ada, bob, admin := d.person("ada@example.org"), d.person("bob@example.org"), domain.Actor{Kind: "person", Name: "Admin", Admin: true}
		type in struct {
			session, token, link string
		}
		enter := func(p domain.Person) (out in) {
			t.Helper()
			var err error
			if out.session, _, err = d.NewSession(ctx, p.ID, "192.0.2.1", "b"); err != nil {
				t.Fatal(err)
			}
			if out.token, _, err = d.CreateToken(ctx, account.ActorOf(p), p.ID, "ci", domain.ScopeAll, time.Hour); err != nil {
				t.Fatal(err)
			}
			if out.link, err = d.NewSignInLink(ctx, p.ID); err != nil {
				t.Fatal(err)
			}
			return out
		}
		works := func(what string, i in, session, token, link domain.Code) {
			t.Helper()
			_, _, err := d.Authenticate(ctx, i.session)
			d.want(err, session)
			_, _, err = d.ByToken(ctx, i.token)
			d.want(err, token)
			_, err = d.Link(ctx, i.link)
			d.want(err, link)
			if t.Failed() {
				t.Fatal(what)
			}
		}
		first, second, others := enter(ada), enter(ada), enter(bob)
		has, err := d.Access(ctx, ada.ID)
		if err != nil || len(has.Sessions) != 2 || len(has.Tokens) != 2 {
			t.Fatalf("%+v, %v", has, err)
		}
		_, v, err := d.Authenticate(ctx, first.session)
		d.want(err, "")
		d.want(d.EndSessionOf(ctx, admin, bob.ID, v.ID), domain.NotFound)
		d.want(d.EndSessionOf(ctx, admin, ada.ID, v.ID), "")
		works("one session ended", first, domain.Unauthenticated, "", "")
		_, tok, err := d.ByToken(ctx, first.token)
		d.want(err, "")
		d.want(d.RevokeTokenOf(ctx, admin, bob.ID, tok.ID), domain.NotFound)
		d.want(d.RevokeTokenOf(ctx, admin, ada.ID, tok.ID), "")
		works("one token revoked", first, domain.Unauthenticated, domain.Unauthenticated, "")
		works("the others are untouched", second, "", "", "")
		ended, err := d.EndAccess(ctx, admin, ada.ID)
		if err != nil || len(ended.Sessions) != 1 || len(ended.Tokens) != 1 {
			t.Errorf("%+v, %v", ended, err)
		}
		works("everything ended", second, domain.Unauthenticated, domain.Unauthenticated, domain.Expired)
		works("another person's are untouched", others, "", "", "")
		_, err = d.EndAccess(ctx, admin, 999)
		d.want(err, domain.NotFound)

		var audited []string
		if err := db.View(ctx, func(tx *store.Tx) error {
			all, err := tx.AuditEntries(ctx, domain.AuditFilter{Limit: 50})
			for _, e := range all {
				if e.Actor.Name == admin.Name && e.ObjectID == ada.Email {
					audited = append(audited, e.Action)
				}
			}
			return err
		}); err != nil || len(audited) != 3 {
			t.Errorf("the audit has %v, %v", audited, err)
		}
	})
}
