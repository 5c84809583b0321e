package federation

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// settingsView is the page of a federation's settings.
type settingsView struct {
	fedpage.Head
	grants []domain.RoleGrant
	email  string // kept input
	role   string
	want   domain.Federation // of the form of the federation itself, kept input
	errs   ui.FormErrors

	defaultEngine domain.Engine

	policy     policyText
	policyErrs ui.FormErrors

	keep     keepText
	keepErrs ui.FormErrors
}

func (s *Pages) settingsView(ctx context.Context, v *visit.Visit) (settingsView, error) {
	head, err := s.Fed.Head(ctx, v, "settings")
	sv := settingsView{Head: head, role: string(domain.RoleViewer), want: v.Fed, policy: policyTexts(head.Fed),
		defaultEngine: s.Engines.Default()}
	if err != nil {
		return sv, err
	}
	if sv.keep, err = s.keepText(ctx, v.Fed.ID); err != nil {
		return sv, err
	}
	sv.grants, err = s.Accounts.Grants(ctx, v.Fed.ID)
	return sv, err
}

// Settings is the page of a federation's settings.
func (s *Pages) Settings(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Settings · " + v.Fed.Name, Nav: "f"}, settingsPage(sv))
	return nil
}

// Grant gives somebody a role in the federation, or takes it away.
func (s *Pages) Grant(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	email, role := r.PostForm.Get("email"), r.PostForm.Get("role")
	if role == "" {
		if ok, err := s.Confirmed(w, r, v, takeRoleConfirmation(v.Fed, email)); err != nil || !ok {
			return err
		}
	}
	err := s.Accounts.Grant(r.Context(), v.Actor(), v.Fed.ID, email, domain.Role(role))
	if err == nil {
		result := email + " is now a " + role + "."
		if role == "" {
			result = email + " has no role here any more."
		}
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/settings", result)
	}
	errs, status, err := visit.FormError(err, "email", "role")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.email, sv.role, sv.errs = email, role, errs
	s.Render(w, r, v, status, ui.Page{Title: "Settings · " + v.Fed.Name, Nav: "f"}, settingsPage(sv))
	return nil
}

// Configure changes what the federation says of itself and how people ask to join it.
func (s *Pages) Configure(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	want := domain.Federation{Name: f.Get("name"), Description: f.Get("description"),
		Asking: domain.Asking{Proof: domain.Proof(f.Get("proof")), Question: f.Get("question"),
			AnswerNeeded: f.Get("answer_needed") != "", InvitationsOnly: f.Get("invitations_only") != ""}}
	_, err := s.Onboarding.Configure(r.Context(), v.Actor(), v.Fed.ID, want.Name, want.Description, want.Asking)
	if err == nil {
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/settings", "Saved.")
	}
	errs, status, err := visit.FormError(err, "name", "description", "proof", "question")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.want, sv.errs = want, errs
	s.Render(w, r, v, status, ui.Page{Title: "Settings · " + v.Fed.Name, Nav: "f"}, settingsPage(sv))
	return nil
}

func takeRoleConfirmation(fed domain.Federation, email string) visit.Confirmation {
	return visit.Confirmation{Words: "Take away the role of " + email + " in " + fed.Name + "?", Do: "Take away role", Back: "/f/" +
		fed.Slug + "/settings"}
}
