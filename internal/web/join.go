package web

import (
	"cmp"
	"net/http"
	"net/url"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

// joining is the form with which people ask.
type joining struct {
	fed    domain.Federation
	inv    domain.Invitation // ID 0: without one
	ways   []account.Way     // to sign in with first, where the federation asks for it and the visitor has not
	person domain.Person
	in     onboarding.AskInput
	errs   formErrors
}

// lead is what lies ahead, in one sentence.
func (j joining) lead() string {
	if j.inv.Auto {
		return "You are invited: you ask, confirm your e-mail address, and run one command."
	}
	return "You ask, a manager reviews, you run one command."
}

// joinForm asks who would like to join. Somebody whose request is alive is taken to it.
func (s *server) joinForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.startJoin(w, r, v, domain.Invitation{})
}

func (s *server) startJoin(w http.ResponseWriter, r *http.Request, v *visit, inv domain.Invitation) error {
	if v.mine.State.Active() && v.mine.State != domain.Unverified {
		http.Redirect(w, r, "/me/"+v.fed.Slug, http.StatusSeeOther)
		return nil
	}
	if v.fed.Asking.InvitationsOnly && inv.ID == 0 {
		return domain.Errorf(domain.Forbidden, "%s takes people by invitation only.", v.fed.Name).Fix("Ask its managers for an invitation, and open the link in it.")
	}
	in := onboarding.AskInput{Email: cmp.Or(v.person.Email, inv.Email), Name: v.person.Name, Organisation: v.person.Organisation}
	return s.showJoin(w, r, v, http.StatusOK, joining{inv: inv, in: in})
}

func (s *server) showJoin(w http.ResponseWriter, r *http.Request, v *visit, status int, j joining) error {
	j.fed, j.person = v.fed, v.person
	ways := s.Accounts.Ways()
	if j.fed.Asking.Proof == domain.ProofBoth && len(ways) > 0 {
		accounts, err := s.Accounts.Identities(r.Context(), v.person.ID)
		if err != nil {
			return err
		}
		if len(accounts) == 0 {
			j.ways = ways
			s.setCookie(w, r, nextCookie, url.QueryEscape(r.URL.RequestURI()), 1800)
		}
	}
	s.render(w, r, v, status, page{title: "Join " + v.fed.Name, mid: true}, joinPage(j))
	return nil
}

func (s *server) join(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.ask(w, r, v, domain.Invitation{}, "")
}

// invitation is the page of an invitation's link. Opening it changes nothing.
func (s *server) invitation(w http.ResponseWriter, r *http.Request, v *visit) error {
	inv, err := s.invited(r, v)
	if err != nil {
		return err
	}
	return s.startJoin(w, r, v, inv)
}

func (s *server) joinInvited(w http.ResponseWriter, r *http.Request, v *visit) error {
	inv, err := s.invited(r, v)
	if err != nil {
		return err
	}
	return s.ask(w, r, v, inv, r.PathValue("secret"))
}

// invited finds the invitation of the address and enters its federation.
func (s *server) invited(r *http.Request, v *visit) (domain.Invitation, error) {
	inv, fed, err := s.Onboarding.Invitation(r.Context(), r.PathValue("secret"))
	if err != nil {
		return inv, err
	}
	return inv, s.enter(r, anyone, fed.Slug, v)
}

func (s *server) ask(w http.ResponseWriter, r *http.Request, v *visit, inv domain.Invitation, secret string) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	in := onboarding.AskInput{FederationID: v.fed.ID, Email: f.Get("email"), Name: f.Get("name"), Organisation: f.Get("organisation"), Message: f.Get("message"),
		Address: s.ClientAddress(r), Invitation: secret, Asker: v.person}
	req, err := s.Onboarding.Ask(r.Context(), in)
	if domain.CodeOf(err) == domain.Unauthenticated { // the form says how; what was entered stays in it
		errs := formErrors{"": problems(err)[0]}
		return s.showJoin(w, r, v, http.StatusUnauthorized, joining{inv: inv, in: in, errs: errs})
	}
	if err != nil {
		errs, status, err := formError(err, "email", "name", "organisation", "message")
		if err != nil {
			return err
		}
		return s.showJoin(w, r, v, status, joining{inv: inv, in: in, errs: errs})
	}
	to := "/verify?ref=" + url.QueryEscape(req.Ref)
	if v.known() && req.PersonID == v.person.ID && req.State != domain.Unverified { // no code is needed
		to = "/me/" + v.fed.Slug
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// verifyForm shows the code of a mailed link in a form: opening the link changes nothing.
func (s *server) verifyForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	s.showVerify(w, r, v, http.StatusOK, q.Get("ref"), q.Get("code"), nil)
	return nil
}

func (s *server) showVerify(w http.ResponseWriter, r *http.Request, v *visit, status int, ref, code string, errs formErrors) {
	s.render(w, r, v, status, page{title: "Confirm your e-mail", mid: true}, verifyPage(ref, code, errs))
}

// verify takes the code. It proves who the visitor is, so it signs them in.
func (s *server) verify(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	ref, code := r.PostForm.Get("ref"), r.PostForm.Get("code")
	req, err := s.Onboarding.Verify(r.Context(), ref, code, v.person)
	if err != nil {
		errs, status, err := formError(err, "ref", "code")
		if err != nil {
			return err
		}
		s.showVerify(w, r, v, status, ref, code, errs)
		return nil
	}
	if v.person.ID != req.PersonID {
		if err := s.signIn(w, r, req.PersonID); err != nil {
			return err
		}
	}
	fed, err := s.federationOf(r, req.FederationID)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/me/"+fed.Slug, http.StatusSeeOther)
	return nil
}

func (s *server) resend(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	ref := r.PostForm.Get("ref")
	if err := s.Onboarding.Resend(r.Context(), ref, s.ClientAddress(r)); err != nil {
		errs, status, err := formError(err)
		if err != nil {
			return err
		}
		s.showVerify(w, r, v, status, ref, "", errs)
		return nil
	}
	return s.done(w, r, "/verify?ref="+url.QueryEscape(ref), "A new code is on its way, if the request is known. Earlier codes do not work any more.")
}
