package web

import (
	"net/http"

	"blossomtune/internal/domain"
)

func (s *server) signInForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.known() {
		s.goOn(w, r, "/")
		return nil
	}
	s.render(w, r, v, http.StatusOK, page{title: "Sign in", mid: true}, signInPage("", nil))
	return nil
}

// signInMail mails a link. What it answers is the same whether the address is known or not.
func (s *server) signInMail(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	email := r.PostForm.Get("email")
	if err := s.Accounts.MailSignInLink(r.Context(), email, s.ClientAddress(r)); err != nil {
		errs, status, err := formError(err, "email")
		if err != nil {
			return err
		}
		s.render(w, r, v, status, page{title: "Sign in", mid: true}, signInPage(email, errs))
		return nil
	}
	s.render(w, r, v, http.StatusOK, page{title: "Look into your mail", mid: true}, signInSentPage(email))
	return nil
}

// linkForm shows a button only: mail scanners open links, and opening one must change nothing.
func (s *server) linkForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if _, err := s.Accounts.Link(r.Context(), r.PathValue("secret")); err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Sign in", mid: true}, linkPage(s.SiteName))
	return nil
}

func (s *server) linkUse(w http.ResponseWriter, r *http.Request, _ *visit) error {
	p, err := s.Accounts.UseLink(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	if err := s.signIn(w, r, p.ID); err != nil {
		return err
	}
	s.goOn(w, r, "/")
	return nil
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.known() {
		if err := s.Accounts.EndSession(r.Context(), v.session); err != nil {
			return err
		}
	}
	s.setCookie(w, r, sessionCookie, "", -1)
	return s.done(w, r, "/", "You are signed out.")
}

func (s *server) setupForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := s.setupLink(r); err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Set up", mid: true}, setupPage(s.SiteName, "", "", nil))
	return nil
}

func (s *server) setupLink(r *http.Request) error {
	l, err := s.Accounts.Link(r.Context(), r.PathValue("secret"))
	if err == nil && l.Purpose != domain.LinkSetup {
		return domain.Errorf(domain.NotFound, "This is no setup link.").Fix("The server prints one when it starts for the first time.")
	}
	return err
}

func (s *server) setup(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := s.setupLink(r); err != nil {
		return err
	}
	email, name := r.PostForm.Get("email"), r.PostForm.Get("name")
	p, err := s.Accounts.Setup(r.Context(), r.PathValue("secret"), email, name)
	if err != nil {
		errs, status, err := formError(err, "email", "name")
		if err != nil {
			return err
		}
		s.render(w, r, v, status, page{title: "Set up", mid: true}, setupPage(s.SiteName, email, name, errs))
		return nil
	}
	if err := s.signIn(w, r, p.ID); err != nil {
		return err
	}
	s.setCookie(w, r, nextCookie, "", -1)
	return s.done(w, r, "/f", "You are the first admin. Make a federation to begin.")
}
