package site

import (
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/manual"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// Manual lists the pages of the manual.
func (s *Pages) Manual(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Documentation", Nav: "help", Mid: true}, manualIndexPage(manual.Sections()))
	return nil
}

// ManualPage is one page of the manual.
func (s *Pages) ManualPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	p, ok := manual.Find(r.PathValue("name"))
	if !ok {
		return domain.Errorf(domain.NotFound, "The documentation has no such page.").Fix("Open /docs for a list of all pages.")
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: p.Title, Nav: "help", Mid: true}, manualPageView(p))
	return nil
}
