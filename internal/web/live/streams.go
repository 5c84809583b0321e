// Package live keeps pages up to date: one stream of server-sent events a page, in which parts of the page come again when they have
// changed. What a page shows in its stream, and who may see it, is the area's; this package draws it, compares and sends.
package live

import (
	"sync"

	"blossomtune/internal/events"
	"blossomtune/internal/web/visit"
)

// Streams are the open streams of all pages.
type Streams struct {
	*visit.Host
	Events *events.Bus
	Done   <-chan struct{} // closed when the server ends: streams end with it; may be nil

	looks sharedLooks

	mu   sync.Mutex
	open map[string]int // streams by client address
}

// New returns no streams yet.
func New(host *visit.Host, bus *events.Bus, done <-chan struct{}) *Streams {
	return &Streams{Host: host, Events: bus, Done: done, open: map[string]int{}}
}
