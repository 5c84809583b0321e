package account_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/account/provider"
	"blossomtune/internal/account/provider/providertest"
	"blossomtune/internal/domain"
)

// door is a desk with a real OpenID provider.
type door struct {
	*desk
	issuer *providertest.Issuer
}

func newDoor(t *testing.T, admins ...string) *door {
	t.Helper()
	d := &door{desk: newDesk(t), issuer: providertest.Start(t, "https://fl.example.org/signin/callback/oidc")}
	d.Options.Providers = []*provider.Provider{provider.New(provider.Settings{ID: "oidc", Label: "Test", Issuer: d.issuer.URL, ClientID: providertest.ClientID, ClientSecret: providertest.ClientSecret}, nil)}
	d.Options.Admins = append([]string{"boss@example.org"}, admins...)
	d.Service = account.New(d.Options)
	return d
}

func (d *door) signIn(user string, current domain.Person) (domain.Person, error) {
	d.t.Helper()
	to, state, err := d.BeginSignIn(d.t.Context(), "oidc", "192.0.2.1")
	if err != nil {
		d.t.Fatal(err)
	}
	return d.FinishSignIn(d.t.Context(), "oidc", state, d.issuer.SignIn(d.t, to, user).Query().Get("code"), current)
}

func (d *door) must(user string, current domain.Person) domain.Person {
	d.t.Helper()
	p, err := d.signIn(user, current)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func TestAProvenAddressFindsItsPerson(t *testing.T) {
	d := newDoor(t)
	known := d.person("ada@example.org")
	first, again := d.must("ada", domain.Person{}), d.must("ada", domain.Person{})
	if first.ID != known.ID || again.ID != known.ID {
		t.Errorf("persons %d and %d, want %d", first.ID, again.ID, known.ID)
	}
	if ids, err := d.Identities(t.Context(), known.ID); err != nil || len(ids) != 1 || ids[0].Login != "ada" {
		t.Errorf("%+v, %v", ids, err)
	}
}

// An address that the provider did not prove neither finds a person nor makes an admin.
func TestAClaimedAddressIsNobodys(t *testing.T) {
	d := newDoor(t, "ada@example.org")
	known := d.person("ada@example.org")
	eve := d.must("eve", domain.Person{})
	if eve.ID == known.ID || eve.Email != "" || eve.Admin {
		t.Errorf("%+v is taken for %+v", eve, known)
	}
	if ada := d.must("ada", domain.Person{}); ada.ID != known.ID || !ada.Admin {
		t.Errorf("%+v", ada)
	}
}

func TestAdminsAreNamedByAccount(t *testing.T) {
	d := newDoor(t, "oidc:eve")
	if eve := d.must("eve", domain.Person{}); !eve.Admin {
		t.Errorf("%+v", eve)
	}
	if ada := d.must("ada", domain.Person{}); ada.Admin {
		t.Errorf("%+v", ada)
	}
}

func TestIdentitiesAreLinkedAndUnlinked(t *testing.T) {
	d := newDoor(t)
	me := d.person("me@example.org")
	if got := d.must("eve", me); got.ID != me.ID {
		t.Fatalf("linked to %d", got.ID)
	}
	if got := d.must("eve", domain.Person{}); got.ID != me.ID {
		t.Errorf("the linked account signs in %d", got.ID)
	}
	_, err := d.signIn("eve", d.person("other@example.org"))
	d.want(err, domain.Conflict)
	ids, err := d.Identities(t.Context(), me.ID)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	d.want(d.Unlink(t.Context(), d.person("third@example.org"), ids[0].ID), domain.NotFound)
	d.want(d.Unlink(t.Context(), me, ids[0].ID), "")
	eve := d.must("eve", domain.Person{})
	ids, err = d.Identities(t.Context(), eve.ID)
	if err != nil || eve.ID == me.ID || len(ids) != 1 {
		t.Fatalf("%+v %+v %v", eve, ids, err)
	}
	d.want(d.Unlink(t.Context(), eve, ids[0].ID), domain.Conflict) // the last way in
}

func TestSignInsRunOut(t *testing.T) {
	d := newDoor(t)
	to, state, err := d.BeginSignIn(t.Context(), "oidc", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	code := d.issuer.SignIn(t, to, "ada").Query().Get("code")
	d.now = d.now.Add(time.Hour)
	_, err = d.FinishSignIn(t.Context(), "oidc", state, code, domain.Person{})
	d.want(err, domain.Expired)
	_, err = d.FinishSignIn(t.Context(), "oidc", "made-up", code, domain.Person{})
	d.want(err, domain.Expired)
	_, _, err = d.BeginSignIn(t.Context(), "nobody", "192.0.2.1")
	d.want(err, domain.NotFound)
	for range 100 {
		if _, _, err = d.BeginSignIn(t.Context(), "oidc", "192.0.2.9"); err != nil {
			break
		}
	}
	d.want(err, domain.Limited)
}

// The reason of a refused sign-in is in the log, and no secret is.
func TestARefusedSignInLogsItsReason(t *testing.T) {
	d := newDoor(t)
	var log bytes.Buffer
	d.Options.Log = slog.New(slog.NewTextHandler(&log, nil))
	d.Service = account.New(d.Options)
	told := func(what string, words ...string) {
		t.Helper()
		for _, w := range append(words, "sign-in refused") {
			if !strings.Contains(log.String(), w) {
				t.Errorf("%s: %q is not in the log: %s", what, w, log.String())
			}
		}
		log.Reset()
	}
	_, state, err := d.BeginSignIn(t.Context(), "oidc", "192.0.2.1")
	if err != nil || log.Len() > 0 {
		t.Fatal(err, log.String())
	}
	_, err = d.FinishSignIn(t.Context(), "oidc", state, "made-up-code", domain.Person{})
	d.want(err, domain.Forbidden)
	if strings.Contains(log.String(), "made-up-code") || strings.Contains(log.String(), providertest.ClientSecret) {
		t.Errorf("a secret is in the log: %s", log.String())
	}
	told("a code that was made up", "with=oidc", "invalid_grant")
	_, err = d.FinishSignIn(t.Context(), "oidc", "made-up-state", "x", domain.Person{})
	d.want(err, domain.Expired)
	told("an unknown state", "has run out or was not begun here")
	d.want(d.MailSignInLink(t.Context(), "stranger@example.org", "192.0.2.1"), "")
	told("an unknown address", "no account has this address")
	_, err = d.UseLink(t.Context(), "made-up")
	d.want(err, domain.Expired)
	told("a used link", "has been used or has run out")
}
