// Package apps is the pages of Flower Apps: the list, adding one, its source, differences between versions. Launching one is not here, but
// in launch.
package apps

import (
	"blossomtune/internal/catalog"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Live    *live.Streams
	Catalog *catalog.Service
}
