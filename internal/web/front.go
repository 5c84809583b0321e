package web

import (
	"net/http"
	"slices"

	"blossomtune/internal/domain"
)

// front is the front door for strangers; everybody else goes to their own first page.
func (s *server) front(w http.ResponseWriter, r *http.Request, v *visit) error {
	feds, err := s.Onboarding.Federations(r.Context())
	if err != nil {
		return err
	}
	if !v.known() {
		feds = slices.DeleteFunc(feds, func(f domain.Federation) bool { return f.Asking.InvitationsOnly })
		s.render(w, r, v, http.StatusOK, page{title: "Train together, keep the data at home", mid: true}, frontPage(s.Site.Welcome(), feds))
		return nil
	}
	own, err := s.watched(r, v, feds)
	if err != nil {
		return err
	}
	to := "/me"
	switch {
	case v.person.Admin && len(feds) != 1, !v.person.Admin && len(own) > 1:
		to = "/f"
	case len(own) == 1:
		to = "/f/" + own[0].Slug
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// watched are the federations in which the visitor is a viewer or more.
func (s *server) watched(r *http.Request, v *visit, feds []domain.Federation) ([]domain.Federation, error) {
	var out []domain.Federation
	for _, f := range feds {
		role, err := s.Accounts.Role(r.Context(), v.person, f.ID)
		if err != nil {
			return nil, err
		}
		if role.AtLeast(domain.RoleViewer) {
			out = append(out, f)
		}
	}
	return out, nil
}
