package web

import (
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/manual"
)

// manualIndex lists the pages of the manual.
func (s *server) manualIndex(w http.ResponseWriter, r *http.Request, v *visit) error {
	s.render(w, r, v, http.StatusOK, page{title: "Documentation", nav: "help", mid: true}, manualIndexPage(manual.Sections()))
	return nil
}

func (s *server) manualPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, ok := manual.Find(r.PathValue("name"))
	if !ok {
		return domain.Errorf(domain.NotFound, "The documentation has no such page.").Fix("Open /docs for a list of all pages.")
	}
	s.render(w, r, v, http.StatusOK, page{title: p.Title, nav: "help", mid: true}, manualPageView(p))
	return nil
}
