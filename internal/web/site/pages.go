// Package site is the pages and files of the site itself: help, manual, description of the API, style and logo, programs to download.
package site

import (
	"blossomtune/internal/apidoc"
	"blossomtune/internal/domain"
	"blossomtune/internal/program"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Programs  *program.Shelf
	Reference func() ([]apidoc.Group, error) // of the API

	gets *domain.Limiter // downloads of programs, by client address
}

// New returns the pages, with the limits of this area.
func New(p Pages) *Pages {
	p.gets = domain.NewLimiter(programsMost, programsWindow)
	return &p
}
