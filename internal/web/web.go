// Package web serves the pages: rendered on the server, kept live by one stream of server-sent events a page, thin over the rules.
// Every route is in one table (routes.go). The packages below hold the rest: ui (looks), visit (who asks, answers, errors), live (streams),
// fedpage and logview (parts of several areas), and one package for each area with its handlers, templates and tests. An area imports
// those and the rules, never another area.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	accounts "blossomtune/internal/account"
	"blossomtune/internal/apidoc"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/engines"
	"blossomtune/internal/events"
	"blossomtune/internal/mail"
	"blossomtune/internal/notify"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/overview"
	"blossomtune/internal/program"
	runrules "blossomtune/internal/runs"
	"blossomtune/internal/safely/safehttp"
	branding "blossomtune/internal/site"
	"blossomtune/internal/sysinfo"
	"blossomtune/internal/web/account"
	"blossomtune/internal/web/admin"
	"blossomtune/internal/web/apps"
	"blossomtune/internal/web/assets"
	"blossomtune/internal/web/federation"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/home"
	"blossomtune/internal/web/invites"
	"blossomtune/internal/web/join"
	"blossomtune/internal/web/launch"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/nodes"
	"blossomtune/internal/web/notifications"
	"blossomtune/internal/web/participant"
	"blossomtune/internal/web/requests"
	"blossomtune/internal/web/run"
	"blossomtune/internal/web/run/artifacts"
	"blossomtune/internal/web/run/charts"
	"blossomtune/internal/web/run/rounds"
	"blossomtune/internal/web/runs"
	"blossomtune/internal/web/signin"
	"blossomtune/internal/web/site"
	"blossomtune/internal/web/visit"
)

// Options are the parts that the pages show and call.
type Options struct {
	Accounts   *accounts.Service
	Onboarding *onboarding.Service
	Catalog    *catalog.Service
	Runs       *runrules.Service
	Engines    *engines.Service
	Outbox     *mail.Service
	Notify     *notify.Service
	Overview   *overview.Service
	Audit      *audit.Service
	Backups    admin.Backups

	Programs      *program.Shelf
	Reference     func() ([]apidoc.Group, error) // of the API
	Connection    func() domain.Connection
	System        func(context.Context) (sysinfo.Info, error)
	Events        *events.Bus
	Clock         domain.Clock
	Log           *slog.Logger
	Site          *branding.Service
	Version       string
	Secure        func(*http.Request) bool   // whether the browser speaks TLS, here or to the declared proxy
	ClientAddress func(*http.Request) string // whom limits count
	Done          <-chan struct{}            // closed when the server ends: streams end with it; may be nil
}

// server is the pages of all areas.
type server struct {
	host *visit.Host

	account     *account.Pages
	admin       *admin.Pages
	apps        *apps.Pages
	artifacts   *artifacts.Pages
	charts      *charts.Pages
	federation  *federation.Pages
	home        *home.Pages
	invites     *invites.Pages
	join        *join.Pages
	launch      *launch.Pages
	nodes       *nodes.Pages
	participant *participant.Pages

	notifications *notifications.Pages

	requests *requests.Pages
	rounds   *rounds.Pages
	run      *run.Pages
	runs     *runs.Pages
	signin   *signin.Pages
	site     *site.Pages
}

// New returns the pages as one handler.
func New(o Options) (http.Handler, error) {
	if o.Accounts == nil || o.Onboarding == nil || o.Catalog == nil || o.Runs == nil || o.Engines == nil || o.Outbox == nil ||
		o.Notify == nil || o.Overview == nil || o.Audit == nil || o.Backups == nil ||
		o.Site == nil || o.Programs == nil || o.Reference == nil || o.Connection == nil || o.System == nil || o.Events == nil || o.Clock == nil ||
		o.ClientAddress == nil ||
		o.Secure == nil {
		return nil, errors.New("web: a part is missing")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a, err := assets.Open()
	if err != nil {
		return nil, err
	}
	s := newServer(o, a)
	return visit.SecureHeaders(safehttp.Requests(o.Log, "pages", http.NewCrossOriginProtection().Handler(s.routes()), s.host.Panicked)), nil
}

func newServer(o Options, a *assets.Set) *server {
	host := &visit.Host{Accounts: o.Accounts, Onboarding: o.Onboarding, Runs: o.Runs, Site: o.Site, Assets: a, Clock: o.Clock, Log: o.Log,
		Version: o.Version, Secure: o.Secure, ClientAddress: o.ClientAddress}
	streams := live.New(host, o.Events, o.Done)
	logs := logview.New(o.Engines)
	fed := &fedpage.Reader{Onboarding: o.Onboarding, Engines: o.Engines, Runs: o.Runs}
	round := &rounds.Pages{Host: host, Runs: o.Runs}
	return &server{
		host:          host,
		notifications: &notifications.Pages{Host: host, Fed: fed, Onboarding: o.Onboarding, Notify: o.Notify},
		account:       &account.Pages{Host: host, Accounts: o.Accounts},
		admin: &admin.Pages{Host: host, Live: streams, Accounts: o.Accounts, Onboarding: o.Onboarding, Catalog: o.Catalog, Audit: o.Audit,
			Backups: o.Backups, Outbox: o.Outbox, System: o.System},
		apps:      &apps.Pages{Host: host, Live: streams, Catalog: o.Catalog},
		artifacts: &artifacts.Pages{Host: host, Runs: o.Runs},
		charts:    &charts.Pages{Host: host, Runs: o.Runs},
		federation: &federation.Pages{Host: host, Fed: fed, Live: streams, Logs: logs, Accounts: o.Accounts, Onboarding: o.Onboarding,
			Engines: o.Engines, Runs: o.Runs},
		home: home.New(home.Pages{Host: host, Fed: fed, Live: streams, Accounts: o.Accounts, Onboarding: o.Onboarding, Catalog: o.Catalog,
			Engines: o.Engines, Runs: o.Runs, Overview: o.Overview, Outbox: o.Outbox}),
		invites: &invites.Pages{Host: host, Fed: fed, Onboarding: o.Onboarding},
		join:    &join.Pages{Host: host, Accounts: o.Accounts, Onboarding: o.Onboarding},
		launch:  &launch.Pages{Host: host, Fed: fed, Live: streams, Onboarding: o.Onboarding, Catalog: o.Catalog, Runs: o.Runs},
		nodes:   &nodes.Pages{Host: host, Fed: fed, Live: streams, Onboarding: o.Onboarding, Connection: o.Connection},
		participant: &participant.Pages{Host: host, Fed: fed, Live: streams, Logs: logs, Onboarding: o.Onboarding, Runs: o.Runs,
			Programs: o.Programs, Connection: o.Connection},
		requests: &requests.Pages{Host: host, Fed: fed, Live: streams, Onboarding: o.Onboarding},
		rounds:   round,
		run: run.New(run.Pages{Host: host, Fed: fed, Live: streams, Logs: logs, Rounds: round, Catalog: o.Catalog, Runs: o.Runs,
			Connection: o.Connection}),
		runs:   &runs.Pages{Host: host, Fed: fed, Live: streams, Runs: o.Runs},
		signin: &signin.Pages{Host: host, Accounts: o.Accounts},
		site:   site.New(site.Pages{Host: host, Programs: o.Programs, Reference: o.Reference}),
	}
}
