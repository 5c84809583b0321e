package web

import (
	"net/http"
	"net/url"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

// joinForm asks who would like to join. Somebody whose request is alive is taken to it.
func (s *server) joinForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.mine.State.Active() && v.mine.State != domain.Unverified {
		http.Redirect(w, r, "/me/"+v.fed.Slug, http.StatusSeeOther)
		return nil
	}
	in := onboarding.AskInput{Email: v.person.Email, Name: v.person.Name, Organisation: v.person.Organisation}
	s.showJoin(w, r, v, http.StatusOK, in, nil)
	return nil
}

func (s *server) showJoin(w http.ResponseWriter, r *http.Request, v *visit, status int, in onboarding.AskInput, errs formErrors) {
	s.render(w, r, v, status, page{title: "Join " + v.fed.Name, mid: true}, joinPage(v.fed, in, errs))
}

func (s *server) join(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	in := onboarding.AskInput{FederationID: v.fed.ID, Email: f.Get("email"), Name: f.Get("name"), Organisation: f.Get("organisation"), Message: f.Get("message"), Address: s.ClientAddress(r)}
	req, err := s.Onboarding.Ask(r.Context(), in)
	if err != nil {
		errs, status, err := formError(err, "email", "name", "organisation", "message")
		if err != nil {
			return err
		}
		s.showJoin(w, r, v, status, in, errs)
		return nil
	}
	http.Redirect(w, r, "/verify?ref="+url.QueryEscape(req.Ref), http.StatusSeeOther)
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
	req, err := s.Onboarding.Verify(r.Context(), ref, code)
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

func (s *server) federationOf(r *http.Request, id int64) (domain.Federation, error) {
	feds, err := s.Onboarding.Federations(r.Context())
	if err != nil {
		return domain.Federation{}, err
	}
	for _, f := range feds {
		if f.ID == id {
			return f, nil
		}
	}
	return domain.Federation{}, noFederation()
}
