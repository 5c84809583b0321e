package server

import (
	"net"
	"net/http"
	"time"

	"blossomtune/internal/portmux"
)

// Limit sets the limits of a server that is not started.
func (s *Server) Limit(l portmux.Limits, r portmux.Rates) { s.o.Limits, s.o.Rates = l, r }

// Open serves requests without the rest of a start.
func (s *Server) Open(inner net.Listener, h http.Handler) { s.open(inner, h) }

// NoteStop tells other servers that this one stops until then.
func (s *Server) NoteStop(until time.Time) error { return s.lock.Stopping(until) }
