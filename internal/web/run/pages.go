// Package run is the page of one run, what can be done to it, and the page that a link to it opens. Parts with an address and a weight of
// their
// own are in charts, rounds and artifacts below it.
package run

import (
	"time"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/run/rounds"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Live       *live.Streams
	Logs       *logview.Logs
	Rounds     *rounds.Pages
	Catalog    *catalog.Service
	Runs       *runs.Service
	Connection func() domain.Connection

	shares *domain.Limiter // looks at shared runs, by client address
}

// New returns the pages, with the limits of this area.
func New(p Pages) *Pages {
	p.shares = domain.NewLimiter(sharedLooksMost, time.Minute)
	return &p
}
