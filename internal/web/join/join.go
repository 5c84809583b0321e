package join

import (
	"cmp"
	"net/http"
	"net/url"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// joining is the form with which people ask.
type joining struct {
	fed    domain.Federation
	inv    domain.Invitation // ID 0: without one
	ways   []account.Way     // to sign in with first, where the federation asks for it and the visitor has not
	person domain.Person
	in     onboarding.AskInput
	errs   ui.FormErrors
}

// lead is what lies ahead, in one sentence.
func (j joining) lead() string {
	if j.inv.Auto {
		return "You are invited: you ask, confirm your e-mail address, and run one command."
	}
	return "You ask, a manager reviews, you run one command."
}

// Form asks who would like to join. Somebody whose request is alive is taken to it.
func (s *Pages) Form(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.startJoin(w, r, v, domain.Invitation{})
}

func (s *Pages) startJoin(w http.ResponseWriter, r *http.Request, v *visit.Visit, inv domain.Invitation) error {
	if v.Mine.State.Active() && v.Mine.State != domain.Unverified {
		http.Redirect(w, r, "/me/"+v.Fed.Slug, http.StatusSeeOther)
		return nil
	}
	if v.Fed.Asking.InvitationsOnly && inv.ID == 0 {
		return domain.Errorf(domain.Forbidden, "%s takes people by invitation only.",
			v.Fed.Name).Fix("Ask its managers for an invitation, and open the link in it.")
	}
	in := onboarding.AskInput{Email: cmp.Or(v.Person.Email, inv.Email), Name: v.Person.Name, Organisation: v.Person.Organisation}
	return s.showJoin(w, r, v, http.StatusOK, joining{inv: inv, in: in})
}

func (s *Pages) showJoin(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, j joining) error {
	j.fed, j.person = v.Fed, v.Person
	ways := s.Accounts.Ways()
	if j.fed.Asking.Proof == domain.ProofBoth && len(ways) > 0 {
		accounts, err := s.Accounts.Identities(r.Context(), v.Person.ID)
		if err != nil {
			return err
		}
		if len(accounts) == 0 {
			j.ways = ways
			s.SetCookie(w, r, visit.NextCookie, url.QueryEscape(r.URL.RequestURI()), 1800)
		}
	}
	s.Render(w, r, v, status, ui.Page{Title: "Join " + v.Fed.Name, Mid: true}, joinPage(j))
	return nil
}

// Ask takes a request to join.
func (s *Pages) Ask(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.ask(w, r, v, domain.Invitation{}, "")
}

// Invitation is the page of an invitation's link. Opening it changes nothing.
func (s *Pages) Invitation(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	inv, err := s.invited(r, v)
	if err != nil {
		return err
	}
	return s.startJoin(w, r, v, inv)
}

// AskInvited takes a request by an invitation.
func (s *Pages) AskInvited(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	inv, err := s.invited(r, v)
	if err != nil {
		return err
	}
	return s.ask(w, r, v, inv, r.PathValue("secret"))
}

// invited finds the invitation of the address and enters its federation.
func (s *Pages) invited(r *http.Request, v *visit.Visit) (domain.Invitation, error) {
	inv, fed, err := s.Onboarding.Invitation(r.Context(), r.PathValue("secret"))
	if err != nil {
		return inv, err
	}
	return inv, s.Enter(r, visit.Anyone, fed.Slug, v)
}

func (s *Pages) ask(w http.ResponseWriter, r *http.Request, v *visit.Visit, inv domain.Invitation, secret string) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	in := onboarding.AskInput{FederationID: v.Fed.ID, Email: f.Get("email"), Name: f.Get("name"), Organisation: f.Get("organisation"),
		Message: f.Get("message"),
		Address: s.ClientAddress(r), Invitation: secret, Asker: v.Person}
	req, err := s.Onboarding.Ask(r.Context(), in)
	if domain.CodeOf(err) == domain.Unauthenticated { // the form says how; what was entered stays in it
		errs := ui.FormErrors{"": visit.Problems(err)[0]}
		return s.showJoin(w, r, v, http.StatusUnauthorized, joining{inv: inv, in: in, errs: errs})
	}
	if err != nil {
		errs, status, err := visit.FormError(err, "email", "name", "organisation", "message")
		if err != nil {
			return err
		}
		return s.showJoin(w, r, v, status, joining{inv: inv, in: in, errs: errs})
	}
	to := "/verify?ref=" + url.QueryEscape(req.Ref)
	if v.Known() && req.PersonID == v.Person.ID && req.State != domain.Unverified { // no code is needed
		to = "/me/" + v.Fed.Slug
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// VerifyForm shows the code of a mailed link in a form: opening the link changes nothing.
func (s *Pages) VerifyForm(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := r.URL.Query()
	s.showVerify(w, r, v, http.StatusOK, q.Get("ref"), q.Get("code"), nil)
	return nil
}

func (s *Pages) showVerify(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, ref, code string, errs ui.FormErrors) {
	s.Render(w, r, v, status, ui.Page{Title: "Confirm your e-mail", Mid: true}, verifyPage(ref, code, errs))
}

// Verify takes the code. It proves who the visitor is, so it signs them in.
func (s *Pages) Verify(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	ref, code := r.PostForm.Get("ref"), r.PostForm.Get("code")
	req, err := s.Onboarding.Verify(r.Context(), ref, code, v.Person)
	if err != nil {
		errs, status, err := visit.FormError(err, "ref", "code")
		if err != nil {
			return err
		}
		s.showVerify(w, r, v, status, ref, code, errs)
		return nil
	}
	if v.Person.ID != req.PersonID {
		if err := s.SignIn(w, r, req.PersonID); err != nil {
			return err
		}
	}
	fed, err := s.FederationOf(r, req.FederationID)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/me/"+fed.Slug, http.StatusSeeOther)
	return nil
}

// Resend mails a new code.
func (s *Pages) Resend(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	ref := r.PostForm.Get("ref")
	if err := s.Onboarding.Resend(r.Context(), ref, s.ClientAddress(r)); err != nil {
		errs, status, err := visit.FormError(err)
		if err != nil {
			return err
		}
		s.showVerify(w, r, v, status, ref, "", errs)
		return nil
	}
	return s.Done(w, r, "/verify?ref="+url.QueryEscape(ref),
		"A new code is on its way, if the request is known. Earlier codes do not work any more.")
}
