package signin

import (
	"fmt"
	"net/http"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// Form is the page where people sign in.
func (s *Pages) Form(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Known() {
		s.GoOn(w, r, "/")
		return nil
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Sign in", Mid: true}, signInPage("", s.Accounts.Ways(), nil))
	return nil
}

// MailLink mails a link. What it answers is the same whether the address is known or not.
func (s *Pages) MailLink(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	email := r.PostForm.Get("email")
	if err := s.Accounts.MailSignInLink(r.Context(), email, s.ClientAddress(r)); err != nil {
		errs, status, err := visit.FormError(err, "email")
		if err != nil {
			return err
		}
		s.Render(w, r, v, status, ui.Page{Title: "Sign in", Mid: true}, signInPage(email, s.Accounts.Ways(), errs))
		return nil
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Look into your mail", Mid: true}, signInSentPage(email))
	return nil
}

// LinkForm shows a button only: mail scanners open links, and opening one must change nothing.
func (s *Pages) LinkForm(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if _, err := s.Accounts.Link(r.Context(), r.PathValue("secret")); err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Sign in", Mid: true}, linkPage(s.Site.Name()))
	return nil
}

// UseLink signs in whoever presses the button that a mailed link leads to.
func (s *Pages) UseLink(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	p, err := s.Accounts.UseLink(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	if err := s.SignIn(w, r, p.ID); err != nil {
		return err
	}
	s.GoOn(w, r, "/")
	return nil
}

// stateCookie holds the state of a sign-in under way: only the browser that began it can finish it.
const stateCookie = "blossomtune_state"

// With sends the browser to a sign-in provider. It is a link and not a form: a form's policy would forbid leaving this site.
func (s *Pages) With(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	to, state, err := s.Accounts.BeginSignIn(r.Context(), r.PathValue("provider"), s.ClientAddress(r))
	if err != nil {
		return err
	}
	s.SetCookie(w, r, stateCookie, state, 900)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// Back is where the provider sends the browser back to.
func (s *Pages) Back(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := r.URL.Query()
	s.SetCookie(w, r, stateCookie, "", -1)
	c, err := r.Cookie(stateCookie)
	if err != nil || c.Value == "" || c.Value != q.Get("state") {
		err := domain.Errorf(domain.Expired,
			"This sign-in was not begun in this browser, or has run out.").Fix("Begin again at the sign-in page.")
		s.Accounts.Refused(r.PathValue("provider"), err)
		return err
	}
	if says := q.Get("error"); says != "" {
		err := domain.Errorf(domain.Forbidden, "The provider did not sign you in.").Fix("Try again from the sign-in page, or sign in by e-mail.").
			Because(fmt.Errorf("it says %q: %q", domain.Cut(says, 100), domain.Cut(q.Get("error_description"), 300)))
		s.Accounts.Refused(r.PathValue("provider"), err)
		return err
	}
	p, err := s.Accounts.FinishSignIn(r.Context(), r.PathValue("provider"), c.Value, q.Get("code"), v.Person)
	if err != nil {
		return err
	}
	if v.Known() { // rotated at each sign-in
		if err := s.Accounts.EndSession(r.Context(), v.Session); err != nil {
			return err
		}
	}
	if err := s.SignIn(w, r, p.ID); err != nil {
		return err
	}
	s.GoOn(w, r, "/")
	return nil
}

// SignOut ends the visitor's session.
func (s *Pages) SignOut(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Known() {
		if err := s.Accounts.EndSession(r.Context(), v.Session); err != nil {
			return err
		}
	}
	s.SetCookie(w, r, account.SessionCookie, "", -1)
	return s.Done(w, r, "/", "You are signed out.")
}

// SetupForm is the form for the first admin.
func (s *Pages) SetupForm(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := s.setupLink(r); err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Set up", Mid: true}, setupPage(s.Site.Name(), "", "", nil))
	return nil
}

func (s *Pages) setupLink(r *http.Request) error {
	l, err := s.Accounts.Link(r.Context(), r.PathValue("secret"))
	if err == nil && l.Purpose != domain.LinkSetup {
		return domain.Errorf(domain.NotFound, "This is no setup link.").Fix("The server prints one when it starts for the first time.")
	}
	return err
}

// Setup makes the first admin.
func (s *Pages) Setup(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	if err := s.setupLink(r); err != nil {
		return err
	}
	email, name := r.PostForm.Get("email"), r.PostForm.Get("name")
	p, err := s.Accounts.Setup(r.Context(), r.PathValue("secret"), email, name)
	if err != nil {
		errs, status, err := visit.FormError(err, "email", "name")
		if err != nil {
			return err
		}
		s.Render(w, r, v, status, ui.Page{Title: "Set up", Mid: true}, setupPage(s.Site.Name(), email, name, errs))
		return nil
	}
	if err := s.SignIn(w, r, p.ID); err != nil {
		return err
	}
	s.SetCookie(w, r, visit.NextCookie, "", -1)
	return s.Done(w, r, "/", "You are the first admin. Make a federation to begin.")
}
