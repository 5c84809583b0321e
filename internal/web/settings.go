package web

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
)

// settingsView is the page of a federation's settings.
type settingsView struct {
	fedHead
	grants []domain.RoleGrant
	email  string // kept input
	role   string
	errs   formErrors
}

func (s *server) settingsView(ctx context.Context, v *visit) (settingsView, error) {
	head, _, err := s.head(ctx, v, "settings")
	sv := settingsView{fedHead: head, role: string(domain.RoleViewer)}
	if err != nil {
		return sv, err
	}
	sv.grants, err = s.Accounts.Grants(ctx, v.fed.ID)
	return sv, err
}

func (s *server) settings(w http.ResponseWriter, r *http.Request, v *visit) error {
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Settings · " + v.fed.Name, nav: "f"}, settingsPage(sv))
	return nil
}

// grant gives somebody a role in the federation, or takes it away.
func (s *server) grant(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	email, role := r.PostForm.Get("email"), r.PostForm.Get("role")
	err := s.Accounts.Grant(r.Context(), v.actor(), v.fed.ID, email, domain.Role(role))
	if err == nil {
		result := email + " is now a " + role + "."
		if role == "" {
			result = email + " has no role here any more."
		}
		return s.done(w, r, "/f/"+v.fed.Slug+"/settings", result)
	}
	errs, status, err := formError(err, "email", "role")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.email, sv.role, sv.errs = email, role, errs
	s.render(w, r, v, status, page{title: "Settings · " + v.fed.Name, nav: "f"}, settingsPage(sv))
	return nil
}
