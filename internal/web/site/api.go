package site

import (
	"net/http"

	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// API describes the API for people.
func (s *Pages) API(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	groups, err := s.Reference()
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "API", Nav: "help", Mid: true}, apiPage(v.Known(), groups))
	return nil
}
