package server

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

// contained is how ServerApps are contained on this machine.
func (a *Server) contained() domain.Containment {
	if a.o.Contained != "" {
		return a.o.Contained
	}
	return domain.Containment(contain.Check().Level())
}
