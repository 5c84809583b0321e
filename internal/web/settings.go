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
	want   domain.Federation // of the form of the federation itself, kept input
	errs   formErrors

	defaultEngine domain.Engine

	policy     policyText
	policyErrs formErrors

	keep     keepText
	keepErrs formErrors
}

func (s *server) settingsView(ctx context.Context, v *visit) (settingsView, error) {
	head, err := s.head(ctx, v, "settings")
	sv := settingsView{fedHead: head, role: string(domain.RoleViewer), want: v.fed, policy: policyTexts(head.fed),
		defaultEngine: s.Engines.Default()}
	if err != nil {
		return sv, err
	}
	if sv.keep, err = s.keepText(ctx, v.fed.ID); err != nil {
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
	if role == "" {
		if ok, err := s.confirmed(w, r, v, takeRoleConfirmation(v.fed, email)); err != nil || !ok {
			return err
		}
	}
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

// configure changes what the federation says of itself and how people ask to join it.
func (s *server) configure(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	want := domain.Federation{Name: f.Get("name"), Description: f.Get("description"), Asking: domain.Asking{Proof: domain.Proof(f.Get("proof")), Question: f.Get("question"),
		AnswerNeeded: f.Get("answer_needed") != "", InvitationsOnly: f.Get("invitations_only") != ""}}
	_, err := s.Onboarding.Configure(r.Context(), v.actor(), v.fed.ID, want.Name, want.Description, want.Asking)
	if err == nil {
		return s.done(w, r, "/f/"+v.fed.Slug+"/settings", "Saved.")
	}
	errs, status, err := formError(err, "name", "description", "proof", "question")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.want, sv.errs = want, errs
	s.render(w, r, v, status, page{title: "Settings · " + v.fed.Name, nav: "f"}, settingsPage(sv))
	return nil
}

func takeRoleConfirmation(fed domain.Federation, email string) confirmation {
	return confirmation{"Take away the role of " + email + " in " + fed.Name + "?", "Take away role", "/f/" + fed.Slug + "/settings"}
}
