// Package participant is the pages of who takes part: their federations, where they stand in one, how to connect their machine.
package participant

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/program"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Live       *live.Streams
	Logs       *logview.Logs
	Onboarding *onboarding.Service
	Runs       *runs.Service
	Programs   *program.Shelf
	Connection func() domain.Connection
}
