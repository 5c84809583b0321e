package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/server"
	"blossomtune/internal/servertest"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// hookReceiver is a real HTTP server that verifies signatures, and can be away.
type hookReceiver struct {
	t      *testing.T
	secret string
	server *httptest.Server

	mu  sync.Mutex
	got []string // "run kind", in the order of arrival
}

// listens starts it, at the address that it had before.
func (h *hookReceiver) listens() {
	h.t.Helper()
	next := httptest.NewUnstartedServer(h)
	if h.server != nil {
		ln, err := net.Listen("tcp", h.server.Listener.Addr().String())
		if err != nil {
			h.t.Fatal(err)
		}
		next.Listener.Close()
		next.Listener = ln
	}
	h.server = next
	h.server.Start()
}

func (h *hookReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
	var e struct {
		Kind string
		Run  struct{ Name string }
	}
	if r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) || json.Unmarshal(body, &e) != nil {
		h.t.Errorf("received %v %s", r.Header, body)
	}
	h.got = append(h.got, e.Run.Name+" "+e.Kind)
}

func (h *hookReceiver) events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// hookSite is a site whose webhooks a test watches.
type hookSite struct{ *servertest.Site }

// comes polls until something is so.
func (s hookSite) comes(what string, so func() bool) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			s.T.Fatalf("it never comes to: %s", what)
		case <-tick.C:
		}
	}
}

// deliveries are those to a webhook of the federation, newest first.
func (s hookSite) deliveries(id int64) []domain.Delivery {
	s.T.Helper()
	_, all, err := s.Server.Notify.Deliveries(s.T.Context(), s.Fed.ID, id, 0, 10)
	if err != nil {
		s.T.Fatal(err)
	}
	return all
}

// restart stops the server and starts another one on the same data.
func (s hookSite) restart() {
	s.T.Helper()
	ctx := s.T.Context()
	err := s.Server.Stop(context.WithoutCancel(ctx), false)
	if err == nil {
		s.Server, err = server.New(ctx, server.Options{Config: s.Config, Version: "test", Clock: s.Now, Log: slog.New(slog.DiscardHandler),
			Keeper:    servertest.NoKeeper,
			Contained: func() domain.Containment { return domain.ContainedByFloor }})
	}
	if err == nil {
		err = s.Server.Start(ctx)
	}
	if err != nil {
		s.T.Fatal(err)
	}
}

// A receiver that is away for ten minutes, while the server restarts, gets each event, those of a run in order; and the managers are
// mailed.
func TestWebhooksOutliveTheServerAndTheReceiver(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := hookSite{servertest.NewWith(t, func(c *config.Config) {
				if kind == "postgres" {
					c.Database = storetest.PostgresURL(t)
				}
			})}
			h := &hookReceiver{t: t}
			h.listens()
			t.Cleanup(func() { h.server.Close() })
			if a := s.Post("admin", "/f/fed/webhooks", "name", "ops", "shape", "json", "private", "on", "url", h.server.URL, "kinds", "run_failed",
				"kinds", "run_stopped"); a.Status != http.StatusOK {
				t.Fatalf("adding a webhook: %d %s", a.Status, a.Body)
			} else if h.secret = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{20,}`).FindString(html.UnescapeString(a.Body)); h.secret == "" {
				t.Fatalf("no secret is shown: %s", a.Body)
			}
			hooks, err := s.Server.Notify.Webhooks(t.Context(), s.Fed.ID)
			if err != nil || len(hooks) != 1 {
				t.Fatalf("%+v, %v", hooks, err)
			}
			hook := hooks[0]
			h.server.Close()

			ctx := t.Context()
			waits := domain.Run{FederationID: s.Fed.ID, Name: "waits", State: domain.Queued, AppHash: s.Run.AppHash, AppID: "p/n",
				AppVersion: "1.0.0", CreatedAt: s.Now()}
			runs := domain.Run{FederationID: s.Fed.ID, Name: "runs", State: domain.Starting, AppHash: s.Run.AppHash, AppID: "p/n",
				AppVersion: "1.0.0", CreatedAt: s.Now(), StartingAt: s.Now()}
			insert := func(r *domain.Run) error {
				return s.Server.DB.InTx(ctx, func(tx *store.Tx) error { return tx.InsertRun(ctx, r) })
			}
			// The driver sleeps until a run is stopped or queued; it would end this one as stopped.
			if err = insert(&runs); err == nil {
				_, err = s.Server.Runs.EndRestored(ctx, s.Now())
			}
			if err == nil {
				err = insert(&waits)
			}
			if err == nil {
				_, err = s.Server.Runs.Stop(ctx, domain.System, waits.ID)
			}
			if err == nil {
				_, err = s.Server.Runs.Requeue(ctx, domain.System, waits.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			var all []domain.Delivery
			s.comes("a failed try", func() bool {
				all = s.deliveries(hook.ID)
				return len(all) > 0 && all[len(all)-1].Tries > 0
			})
			if d := all[len(all)-1]; d.State != domain.DeliveryQueued || d.LastError != "The receiver cannot be reached." || d.NextAt.IsZero() {
				t.Errorf("%+v", d)
			}
			if _, err := s.Server.Runs.Stop(ctx, domain.System, waits.ID); err != nil {
				t.Fatal(err)
			}
			s.restart()
			s.Passes(10 * time.Minute)
			h.listens()
			s.Server.Notify.Wake()
			s.comes("all deliveries sent", func() bool {
				all = s.deliveries(hook.ID)
				return len(all) == 3 && !slices.ContainsFunc(all, func(d domain.Delivery) bool { return d.State != domain.DeliverySent })
			})
			if got := slices.Sorted(slices.Values(h.events())); !slices.Equal(got,
				[]string{"runs run_failed", "waits run_stopped", "waits run_stopped"}) {
				t.Errorf("received %v", h.events())
			}
			told := 0
			s.comes("a mail", func() bool {
				mails, err := s.Server.Mail.Mails(ctx, 0, 100)
				told = 0
				for _, m := range mails {
					if m.To == "manager@example.org" && m.Subject == "runs failed in Fed" && strings.Contains(m.Text, "App: p/n 1.0.0") &&
						strings.Contains(m.Text, "restored from a backup") {
						told++
					}
				}
				return err == nil && told > 0
			})
			if told != 1 {
				t.Errorf("%d mails", told)
			}
			if page := s.Get("manager", "/f/fed/webhooks").Body; !strings.Contains(page, "delivered, answered 200") ||
				strings.Contains(page, h.secret) {
				t.Errorf("the page: %s", page)
			}
			if a := s.Post("manager", "/f/fed/webhooks", "name", "in", "shape", "json", "url", h.server.URL, "kinds",
				"run_failed"); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("a manager adds a private address: %d", a.Status)
			}
		})
	}
}
