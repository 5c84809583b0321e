// Package rounds is who did what in the rounds of a run: the participation map and the timelines.
package rounds

import (
	"blossomtune/internal/runs"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Runs *runs.Service
}
