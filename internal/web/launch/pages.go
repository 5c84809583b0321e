// Package launch is the form that launches a run: app, configuration, limits, and the board that says whether it can go.
package launch

import (
	"blossomtune/internal/catalog"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Live       *live.Streams
	Onboarding *onboarding.Service
	Catalog    *catalog.Service
	Runs       *runs.Service
}
