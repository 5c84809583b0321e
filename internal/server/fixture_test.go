package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/testflwr"
)

// site is a running server with two federations and somebody of every kind.
type site struct {
	t      testing.TB
	app    *Server
	log    string                 // the path of the server's log
	breaks atomic.Pointer[string] // the function below which the clock panics, once
	past   atomic.Int64           // how far the server's clock is ahead of the machine's
	level  atomic.Value           // how ServerApps are contained, as a domain.Containment
	fed    domain.Federation      // "fed"
	run    domain.Run             // an ended one of fed
	kept   domain.Request         // the approved participant's
	asks   domain.Request         // the pending asker's

	cookies map[string]string // session by kind of visitor
	persons map[string]domain.Person
}

// kinds are all kinds of visitors.
var kinds = []string{"stranger", "outsider", "asker", "revoked", "participant", "viewer", "manager", "admin"}

func newSite(t testing.TB) *site { return newSiteWith(t, func(*config.Config) {}) }

// newSiteWith starts a site whose configuration a test changes.
func newSiteWith(t testing.TB, change func(*config.Config)) *site {
	t.Helper()
	env := testflwr.Venv(t)
	s := &site{t: t, log: filepath.Join(t.TempDir(), "server.log"), cookies: map[string]string{}, persons: map[string]domain.Person{}}
	s.level.Store(domain.ContainedByFloor)
	data := t.TempDir()
	if err := os.Symlink(filepath.Dir(env.Dir), filepath.Join(data, "python")); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	c := config.Config{Data: data, Listen: "127.0.0.1:0"}
	change(&c)
	err = c.Resolve()
	if err == nil {
		s.app, err = New(t.Context(), Options{Config: c, Version: "test", Clock: s.now, Log: slog.New(slog.NewTextHandler(file, nil)), Keeper: noKeeper, Contained: s.contained})
	}
	if err == nil {
		err = s.app.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.app.Stop(context.WithoutCancel(t.Context()), true); err != nil {
			t.Error(err)
		}
	})
	s.populate()
	return s
}

// noKeeper is a keeper that ends at once: a SuperLink that is started stays starting.
func noKeeper(int64) keeper.Spec { return keeper.Spec{Args: []string{"-test.run=^$"}} }

func (s *site) contained() domain.Containment { return s.level.Load().(domain.Containment) }

// now is the server's time.
func (s *site) now() time.Time {
	if within := s.breaks.Load(); within != nil && bytes.Contains(debug.Stack(), []byte(*within)) && s.breaks.CompareAndSwap(within, nil) {
		panic("the clock is broken")
	}
	return time.Now().Add(time.Duration(s.past.Load()))
}

// passes lets time pass.
func (s *site) passes(d time.Duration) { s.past.Add(int64(d)) }

func (s *site) populate() {
	ctx := s.t.Context()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	var other domain.Federation
	var err error
	s.fed, err = s.app.Onboarding.CreateFederation(ctx, domain.System, domain.Federation{Slug: "fed", Name: "Fed", TotalPartitions: 10})
	must(err)
	other, err = s.app.Onboarding.CreateFederation(ctx, domain.System, domain.Federation{Slug: "other", Name: "Other", TotalPartitions: 10})
	must(err)
	s.asks = s.request("asker", s.fed, domain.Pending)
	s.kept = s.request("participant", s.fed, domain.Approved)
	s.request("revoked", s.fed, domain.Revoked)
	s.request("outsider", other, domain.Approved)
	for kind, role := range map[string]domain.Role{"viewer": domain.RoleViewer, "manager": domain.RoleManager, "admin": domain.RoleNone} {
		p := domain.Person{Email: kind + "@example.org", Name: kind, Admin: kind == "admin"}
		must(s.app.DB.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertPerson(ctx, &p); err != nil || role == domain.RoleNone {
				return err
			}
			return tx.SetGrantedRole(ctx, p.ID, s.fed.ID, role)
		}))
		s.persons[kind] = p
	}
	s.run = domain.Run{FederationID: s.fed.ID, Name: "r-1", State: domain.Completed, AppHash: strings.Repeat("a", 64), AppID: "p/n", AppVersion: "1.0.0", TotalPartitions: 10, EngineRunID: 42, CreatedAt: time.Now(), EndedAt: time.Now()}
	must(s.app.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.PutAppVersion(ctx, domain.AppVersion{Hash: s.run.AppHash, Publisher: "p", Name: "n", Version: "1.0.0", FAB: []byte("x")}); err != nil {
			return err
		}
		return tx.InsertRun(ctx, &s.run)
	}))
	for kind, p := range s.persons {
		secret, _, err := s.app.Accounts.NewSession(ctx, p.ID, "192.0.2.1", "test")
		must(err)
		s.cookies[kind] = secret
	}
}

// request makes a person with a request that has come to a state.
func (s *site) request(kind string, fed domain.Federation, state domain.RequestState) domain.Request {
	s.t.Helper()
	ctx := s.t.Context()
	p := domain.Person{Email: kind + "@example.org", Name: kind}
	r := domain.Request{Ref: strings.ToUpper(kind), FederationID: fed.ID, State: domain.Pending, Partition: -1, Name: kind, Email: p.Email, CreatedAt: time.Now()}
	err := s.app.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertPerson(ctx, &p); err != nil {
			return err
		}
		r.PersonID = p.ID
		return tx.InsertRequest(ctx, &r)
	})
	if err == nil && state != domain.Pending {
		_, err = s.app.Onboarding.Approve(ctx, domain.System, []int64{r.ID}, onboarding.NextFreePartition)
	}
	if err == nil && state == domain.Revoked {
		_, err = s.app.Onboarding.Revoke(ctx, domain.System, r.ID, "left")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.persons[kind] = p
	return r
}

// answer is what came back; the body is cut, and not read of streams.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request as a kind of visitor. form is a POST's body; change may alter the request.
func (s *site) send(kind, method, path string, form url.Values, change func(*http.Request)) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.app.Addr().String()+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret := s.cookies[kind]; secret != "" {
		req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: secret})
	}
	if change != nil {
		change(req)
	}
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %.200s: %v", method, path, err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
		if err != nil {
			s.t.Fatal(err)
		}
		a.body = string(body)
	}
	return a
}

// refused reports whether an answer is one to somebody who may not: sign in, not for you, or no such thing for you.
func (a answer) refused() bool {
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusSeeOther:
		return a.header.Get("Location") == "/signin"
	case http.StatusNotFound:
		for _, words := range []string{"no such federation", "no such request", "no such run", "no such app"} {
			if strings.Contains(a.body, words) {
				return true
			}
		}
	}
	return false
}

func (s *site) post(kind, path string, fields ...string) answer {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return s.send(kind, http.MethodPost, path, form, nil)
}

func (s *site) get(kind, path string) answer {
	s.t.Helper()
	return s.send(kind, http.MethodGet, path, nil, nil)
}
