// Package servertest boots the real server in the test's process, for the tests of any package: on SQLite or PostgreSQL, with a clock that
// tests advance, without keepers, mails kept in the outbox. Tests embed [Site] in a type of their own for the helpers of their package.
package servertest

import (
	"blossomtune/internal/server"
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

// Site is a running server with two federations and a person of every kind.
type Site struct {
	T      testing.TB
	Server *server.Server
	Config config.Config          // resolved
	Log    string                 // the path of the server's log
	Breaks atomic.Pointer[string] // the function below which the clock panics, once
	Level  atomic.Value           // how ServerApps are contained, as a domain.Containment
	Fed    domain.Federation      // "fed"
	Run    domain.Run             // an ended one of Fed
	Kept   domain.Request         // the approved participant's
	Asks   domain.Request         // the pending asker's

	Cookies map[string]string // session by kind of visitor
	Persons map[string]domain.Person

	past atomic.Int64 // how far the server's clock is ahead of the machine's
}

// Kinds are all kinds of visitors.
var Kinds = []string{"stranger", "outsider", "asker", "revoked", "participant", "viewer", "manager", "admin"}

// New starts a site on SQLite that ends with the test.
func New(t testing.TB) *Site { return NewWith(t, func(*config.Config) {}) }

// NewWith is [New] with a configuration that the test changes.
func NewWith(t testing.TB, change func(*config.Config)) *Site {
	t.Helper()
	env := testflwr.Venv(t)
	s := &Site{T: t, Log: filepath.Join(t.TempDir(), "server.log"), Cookies: map[string]string{}, Persons: map[string]domain.Person{}}
	s.Level.Store(domain.ContainedByFloor)
	data := t.TempDir()
	if err := os.Symlink(filepath.Dir(env.Dir), filepath.Join(data, "python")); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	c := config.Config{Data: data, Listen: "127.0.0.1:0"}
	change(&c)
	err = c.Resolve()
	s.Config = c
	if err == nil {
		s.Server, err = server.New(t.Context(), server.Options{Config: c, Version: "test", Clock: s.Now,
			Log: slog.New(slog.NewTextHandler(file, nil)), Keeper: NoKeeper, Contained: s.contained})
	}
	if err == nil {
		err = s.Server.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Server.Stop(context.WithoutCancel(t.Context()), true); err != nil {
			t.Error(err)
		}
	})
	s.populate()
	return s
}

// NoKeeper is a keeper that ends at once: a SuperLink that is started stays starting.
func NoKeeper(int64) keeper.Spec { return keeper.Spec{Args: []string{"-test.run=^$"}} }

func (s *Site) contained() domain.Containment { return s.Level.Load().(domain.Containment) }

// Now is the server's time.
func (s *Site) Now() time.Time {
	if within := s.Breaks.Load(); within != nil && bytes.Contains(debug.Stack(), []byte(*within)) && s.Breaks.CompareAndSwap(within, nil) {
		panic("the clock is broken")
	}
	return time.Now().Add(time.Duration(s.past.Load()))
}

// Passes lets time pass.
func (s *Site) Passes(d time.Duration) { s.past.Add(int64(d)) }

func (s *Site) populate() {
	ctx := s.T.Context()
	must := func(err error) {
		s.T.Helper()
		if err != nil {
			s.T.Fatal(err)
		}
	}
	var other domain.Federation
	var err error
	s.Fed, err = s.Server.Onboarding.CreateFederation(ctx, domain.System, domain.Federation{Slug: "fed", Name: "Fed", TotalPartitions: 10})
	must(err)
	other, err = s.Server.Onboarding.CreateFederation(ctx, domain.System, domain.Federation{Slug: "other", Name: "Other", TotalPartitions: 10})
	must(err)
	s.Asks = s.Request("asker", s.Fed, domain.Pending)
	s.Kept = s.Request("participant", s.Fed, domain.Approved)
	s.Request("revoked", s.Fed, domain.Revoked)
	s.Request("outsider", other, domain.Approved)
	for kind, role := range map[string]domain.Role{"viewer": domain.RoleViewer, "manager": domain.RoleManager, "admin": domain.RoleNone} {
		p := domain.Person{Email: kind + "@example.org", Name: kind, Admin: kind == "admin"}
		must(s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertPerson(ctx, &p); err != nil || role == domain.RoleNone {
				return err
			}
			return tx.SetGrantedRole(ctx, p.ID, s.Fed.ID, role)
		}))
		s.Persons[kind] = p
	}
	s.Run = domain.Run{FederationID: s.Fed.ID, Name: "r-1", State: domain.Completed, AppHash: strings.Repeat("a", 64), AppID: "p/n",
		AppVersion: "1.0.0", TotalPartitions: 10, EngineRunID: 42, CreatedAt: time.Now(), EndedAt: time.Now()}
	must(s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.PutAppVersion(ctx, domain.AppVersion{Hash: s.Run.AppHash, Publisher: "p", Name: "n", Version: "1.0.0",
			FAB: []byte("x")}); err != nil {
			return err
		}
		return tx.InsertRun(ctx, &s.Run)
	}))
	for kind, p := range s.Persons {
		secret, _, err := s.Server.Accounts.NewSession(ctx, p.ID, "192.0.2.1", "test")
		must(err)
		s.Cookies[kind] = secret
	}
}

// Request makes a person with a request that has come to a state.
func (s *Site) Request(kind string, fed domain.Federation, state domain.RequestState) domain.Request {
	s.T.Helper()
	ctx := s.T.Context()
	p := domain.Person{Email: kind + "@example.org", Name: kind}
	r := domain.Request{Ref: strings.ToUpper(kind), FederationID: fed.ID, State: domain.Pending, Partition: -1, Name: kind, Email: p.Email,
		CreatedAt: time.Now()}
	err := s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertPerson(ctx, &p); err != nil {
			return err
		}
		r.PersonID = p.ID
		return tx.InsertRequest(ctx, &r)
	})
	if err == nil && state != domain.Pending {
		_, err = s.Server.Onboarding.Approve(ctx, domain.System, []int64{r.ID}, onboarding.NextFreePartition)
	}
	if err == nil && state == domain.Revoked {
		_, err = s.Server.Onboarding.Revoke(ctx, domain.System, r.ID, "left")
	}
	if err != nil {
		s.T.Fatal(err)
	}
	s.Persons[kind] = p
	return r
}

// Answer is what came back; the body is cut, and not read of streams.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Send sends a request as a kind of visitor. form is a POST's body; change may alter the request.
func (s *Site) Send(kind, method, path string, form url.Values, change func(*http.Request)) Answer {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), method, "http://"+s.Server.Addr().String()+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret := s.Cookies[kind]; secret != "" {
		req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: secret})
	}
	if change != nil {
		change(req)
	}
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		s.T.Fatalf("%s %.200s: %v", method, path, err)
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Header: res.Header}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
		if err != nil {
			s.T.Fatal(err)
		}
		a.Body = string(body)
	}
	return a
}

// Refused reports whether access is denied: sign in, access denied, or not found for this person.
func (a Answer) Refused() bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusSeeOther:
		return a.Header.Get("Location") == "/signin"
	case http.StatusNotFound:
		for _, words := range []string{"no such federation", "no such request", "no such run", "no such app"} {
			if strings.Contains(a.Body, words) {
				return true
			}
		}
	}
	return false
}

// Post posts a form, given as names and values, as a kind of visitor.
func (s *Site) Post(kind, path string, fields ...string) Answer {
	s.T.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return s.Send(kind, http.MethodPost, path, form, nil)
}

// Get gets a page as a kind of visitor.
func (s *Site) Get(kind, path string) Answer {
	s.T.Helper()
	return s.Send(kind, http.MethodGet, path, nil, nil)
}
