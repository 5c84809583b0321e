// Package runs is the list of a federation's runs and the comparison of some. The page of one is in run.
package runs

import (
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed  *fedpage.Reader
	Live *live.Streams
	Runs *runs.Service
}
