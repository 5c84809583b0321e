// Package charts answers with the metrics of a run: as charts draw them, as CSV and as JSON.
package charts

import (
	"blossomtune/internal/runs"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Runs *runs.Service
}
