// Package logview shows a log, whichever page it stands on: the viewer, and the answers to the questions of its script. Which logs there
// are, and who may read them, is said by the areas.
package logview

import "blossomtune/internal/engines"

// Logs answers what viewers ask.
type Logs struct {
	Engines *engines.Service

	searches chan struct{} // one for each search of a log that goes on
}

// New returns what answers questions about logs.
func New(e *engines.Service) *Logs {
	return &Logs{Engines: e, searches: make(chan struct{}, maxSearches)}
}
