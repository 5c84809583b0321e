// Package artifacts hands out what a ServerApp wrote: files, all as a zip, previews. All of it is untrusted.
package artifacts

import (
	"blossomtune/internal/runs"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Runs *runs.Service
}
