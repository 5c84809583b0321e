package visit

import (
	"net/http"
	"net/url"
	"strings"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/portmux"
)

// Cookies besides [account.SessionCookie].
const (
	NextCookie  = "blossomtune_next"  // where somebody wanted to go before signing in
	flashCookie = "blossomtune_flash" // the result of the last action, shown once
)

// Visit is one request with what is known of the visitor.
type Visit struct {
	Person  domain.Person // ID 0 for strangers
	Session domain.Session
	Fed     domain.Federation // of routes with {fed}
	Role    domain.Role       // in fed
	Share   domain.Share      // of routes with a link to a run; ID 0 elsewhere
	Base    string            // of such routes: the address that the run's parts are below
	Mine    domain.Request    // the visitor's newest request in fed; ID 0 where there is none
}

// Known reports whether the visitor is signed in.
func (v *Visit) Known() bool { return v.Person.ID != 0 }

// Manager reports whether the visitor is a manager of the federation.
func (v *Visit) Manager() bool { return v.Role.AtLeast(domain.RoleManager) }
func (v *Visit) viewer() bool  { return v.Role.AtLeast(domain.RoleViewer) }

// SeenBy is the participant whose runs alone the visitor may see, as lists and searches take it; 0 where they see every run. A link to a
// run
// opens that run alone, whoever the visitor is.
func (v *Visit) SeenBy() int64 {
	if v.viewer() || v.Share.ID != 0 {
		return 0
	}
	return v.Person.ID
}

// Names reports whether the visitor may see who other participants are.
func (v *Visit) Names() bool { return v.viewer() }

// Actor is the visitor as the audit names them.
func (v *Visit) Actor() domain.Actor {
	name := v.Person.Name
	if name == "" {
		name = v.Person.Email
	}
	return domain.Actor{Kind: "person", PersonID: v.Person.ID, Name: name, Admin: v.Person.Admin}
}

// errSignIn makes a page send the visitor to the sign-in page, and everything else answer 401.
var errSignIn = domain.Errorf(domain.Unauthenticated, "You are not signed in.").Fix("Sign in, then come back.")

// Serve makes a route of do: for those whom who admits, with at most body bytes of a form.
func (s *Host) Serve(who Access, body int64, do Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, body)
		}
		v := &Visit{}
		err := checkAddress(r)
		if err == nil {
			err = s.Admit(r, who, v)
		}
		if err == nil {
			err = checkForm(r)
		}
		if err == nil {
			err = do(w, r, v)
		}
		if err != nil {
			s.fail(w, r, v, err)
		}
	}
}

// Admit finds out who visits and whether they may.
func (s *Host) Admit(r *http.Request, who Access, v *Visit) error {
	if err := s.identify(r, v); err != nil {
		return err
	}
	if who != Anyone && !v.Known() {
		return errSignIn
	}
	if who == Admin && !v.Person.Admin {
		return domain.Errorf(domain.Forbidden, "This page is for the admins of %s.", s.Site.Name()).Fix("Ask one of them.")
	}
	slug := r.PathValue("fed")
	if slug == "" {
		return nil
	}
	return s.Enter(r, who, slug, v)
}

func (s *Host) identify(r *http.Request, v *Visit) error {
	secret := ""
	if c, err := r.Cookie(account.SessionCookie); err == nil {
		secret = c.Value
	}
	if secret == "" {
		return nil
	}
	var err error
	v.Person, v.Session, err = s.Accounts.Authenticate(r.Context(), secret)
	if domain.CodeOf(err) == domain.Unauthenticated {
		v.Person, v.Session = domain.Person{}, domain.Session{}
		return nil // an ended session is a stranger's visit
	}
	if err == nil {
		portmux.Trust(r.Context())
	}
	return err
}

// NoFederation is the answer for a federation that does not exist, or not for the visitor.
func NoFederation() error {
	return domain.Errorf(domain.NotFound,
		"There is no such federation, or you have no part in it.").
		Fix("Check the address. Did you sign in with another e-mail address when you asked to join?")
}

// Enter looks at the visitor's part in the federation of the address.
func (s *Host) Enter(r *http.Request, who Access, slug string, v *Visit) error {
	ctx := r.Context()
	fed, err := s.Onboarding.FederationBySlug(ctx, slug)
	if domain.CodeOf(err) == domain.NotFound {
		return NoFederation()
	}
	if err != nil {
		return err
	}
	v.Fed = fed
	if !v.Known() {
		return nil
	}
	if v.Role, err = s.Accounts.Role(ctx, v.Person, fed.ID); err != nil {
		return err
	}
	if v.Mine, err = s.Onboarding.Latest(ctx, fed.ID, v.Person.ID); err != nil && domain.CodeOf(err) != domain.NotFound {
		return err
	}
	return v.may(who)
}

func (v *Visit) may(who Access) error {
	if who != Member && who != Manager {
		return nil
	}
	switch {
	case v.Role == domain.RoleNone && v.Mine.ID != 0:
		return domain.Errorf(domain.Forbidden, "This page is for those who are in %s.",
			v.Fed.Name).Fix("Your own page says where your request stands.")
	case v.Role == domain.RoleNone:
		return NoFederation()
	case who == Manager && !v.Manager():
		return domain.Errorf(domain.Forbidden, "This page is for the managers of %s.", v.Fed.Name).Fix("Ask one of them.")
	}
	return nil
}

// safeNext returns a path of this site to go to, or "" for anything else.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	return next
}

// SetCookie sets a cookie that scripts cannot read, for maxAge seconds; a negative one takes it away.
func (s *Host) SetCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.Secure(r),
		SameSite: http.SameSiteLaxMode})
}

// SignIn begins a session of a person in this browser.
func (s *Host) SignIn(w http.ResponseWriter, r *http.Request, personID int64) error {
	secret, session, err := s.Accounts.NewSession(r.Context(), personID, s.ClientAddress(r), r.UserAgent())
	if err != nil {
		return err
	}
	s.SetCookie(w, r, account.SessionCookie, secret, max(int(session.ExpiresAt.Sub(s.Clock()).Seconds()), 1))
	return nil
}

// GoOn sends somebody who has just signed in to where they wanted to go.
func (s *Host) GoOn(w http.ResponseWriter, r *http.Request, fallback string) {
	to := fallback
	if c, err := r.Cookie(NextCookie); err == nil {
		if path, err := url.QueryUnescape(c.Value); err == nil && safeNext(path) != "" {
			to = path
		}
		s.SetCookie(w, r, NextCookie, "", -1)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
