// Package web serves the pages: rendered on the server, kept live by one stream of server-sent events a page, thin over the rules.
// Every route is in one table (routes.go), every error becomes an answer in one place (fail.go).
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/engines"
	"blossomtune/internal/events"
	"blossomtune/internal/mail"
	"blossomtune/internal/onboarding"
	over "blossomtune/internal/overview"
	"blossomtune/internal/program"
	"blossomtune/internal/runs"
	"blossomtune/internal/safely/safehttp"
	"blossomtune/internal/site"
	"blossomtune/internal/sysinfo"
)

// Options are the parts that the pages show and call.
type Options struct {
	Accounts   *account.Service
	Onboarding *onboarding.Service
	Catalog    *catalog.Service
	Runs       *runs.Service
	Engines    *engines.Service
	Outbox     *mail.Service
	Overview   *over.Service
	Audit      *audit.Service

	Programs      *program.Shelf
	Connection    func() domain.Connection
	System        func(context.Context) (sysinfo.Info, error)
	Events        *events.Bus
	Clock         domain.Clock
	Log           *slog.Logger
	Site          *site.Service
	Version       string
	Secure        func(*http.Request) bool   // whether the browser speaks TLS, here or to the declared proxy
	ClientAddress func(*http.Request) string // whom limits count
	Done          <-chan struct{}            // closed when the server ends: streams end with it; may be nil
}

type server struct {
	Options
	assets *assets

	looks    sharedLooks
	searches chan struct{} // one for each search of a log that goes on

	shares *domain.Limiter // looks at shared runs, by client address
	finds  *domain.Limiter // what people look for, by person
	gets   *domain.Limiter // downloads of programs, by client address

	streamsMu sync.Mutex
	streams   map[string]int // open streams by client address
}

// New returns the pages as one handler.
func New(o Options) (http.Handler, error) {
	if o.Accounts == nil || o.Onboarding == nil || o.Catalog == nil || o.Runs == nil || o.Engines == nil || o.Outbox == nil || o.Overview == nil || o.Audit == nil || o.Site == nil ||
		o.Programs == nil || o.Connection == nil || o.System == nil || o.Events == nil || o.Clock == nil || o.ClientAddress == nil ||
		o.Secure == nil {
		return nil, errors.New("web: a part is missing")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a, err := openAssets(distFiles)
	if err != nil {
		return nil, err
	}
	s := &server{Options: o, assets: a, shares: domain.NewLimiter(sharedLooksMost, time.Minute), finds: newFinds(),
		gets: domain.NewLimiter(programsMost, programsWindow), streams: map[string]int{}, searches: make(chan struct{}, maxSearches)}
	return secureHeaders(safehttp.Requests(o.Log, "pages", http.NewCrossOriginProtection().Handler(s.routes()), s.panicked)), nil
}
