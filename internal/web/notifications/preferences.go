package notifications

import (
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// Preferences is where the visitor chooses what they are mailed.
func (s *Pages) Preferences(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	all, err := s.Notify.Preferences(r.Context(), v.Person)
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Notifications", Nav: "me", Mid: true}, notificationsPage(all))
	return nil
}

// Choose sets what the visitor is mailed about one federation, or about the server.
func (s *Pages) Choose(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	fed, name := domain.Federation{}, "this server"
	kinds := domain.InstanceNotices
	if slug := r.PostForm.Get("federation"); slug != "" {
		var err error
		if fed, err = s.Onboarding.FederationBySlug(r.Context(), slug); err != nil {
			if domain.CodeOf(err) == domain.NotFound {
				return visit.NoFederation()
			}
			return err
		}
		name, kinds = fed.Name, domain.FederationNotices
	} else if !v.Person.Admin {
		return domain.Errorf(domain.Forbidden, "Notifications about the server are for admins.")
	}
	modes := map[domain.NoticeKind]domain.NoticeMode{}
	for _, k := range kinds {
		if m := r.PostForm.Get(string(k)); m != "" {
			modes[k] = domain.NoticeMode(m)
		}
	}
	if err := s.Notify.Choose(r.Context(), v.Actor(), v.Person, fed.ID, modes); err != nil {
		return err
	}
	return s.Done(w, r, "/me/account/notifications", "Saved what is mailed to you about "+name+".")
}
