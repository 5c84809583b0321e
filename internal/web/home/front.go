package home

import (
	"net/http"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// Front is the front door for strangers, the overview for who watches a federation; who only takes part goes to their own page.
func (s *Pages) Front(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if !v.Known() {
		feds, err := s.Onboarding.Federations(r.Context())
		if err != nil {
			return err
		}
		feds = slices.DeleteFunc(feds, func(f domain.Federation) bool { return f.Asking.InvitationsOnly })
		s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Train together, keep the data at home", Mid: true}, frontPage(s.Site.Welcome(), feds))
		return nil
	}
	shown, err := s.home(w, r, v)
	if err == nil && !shown {
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	}
	return err
}

// watched are the federations in which the visitor is a viewer or more.
func (s *Pages) watched(r *http.Request, v *visit.Visit, feds []domain.Federation) ([]domain.Federation, error) {
	var out []domain.Federation
	for _, f := range feds {
		role, err := s.Accounts.Role(r.Context(), v.Person, f.ID)
		if err != nil {
			return nil, err
		}
		if role.AtLeast(domain.RoleViewer) {
			out = append(out, f)
		}
	}
	return out, nil
}
