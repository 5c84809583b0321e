package web

import (
	"net/http"
	"net/url"
	"strings"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/portmux"
)

const (
	nextCookie  = "blossomtune_next"  // where somebody wanted to go before signing in
	flashCookie = "blossomtune_flash" // the result of the last action, shown once
)

// visit is one request with what is known of the visitor.
type visit struct {
	person  domain.Person // ID 0 for strangers
	session domain.Session
	fed     domain.Federation // of routes with {fed}
	role    domain.Role       // in fed
	share   domain.Share      // of routes with a link to a run; ID 0 elsewhere
	base    string            // of such routes: the address that the run's parts are below
	mine    domain.Request    // the visitor's newest request in fed; ID 0 where there is none
}

func (v *visit) known() bool   { return v.person.ID != 0 }
func (v *visit) manager() bool { return v.role.AtLeast(domain.RoleManager) }
func (v *visit) viewer() bool  { return v.role.AtLeast(domain.RoleViewer) }

// seenBy is the participant whose runs alone the visitor may see, as lists and searches take it; 0 where they see every run. A link to a run
// opens that run alone, whoever the visitor is.
func (v *visit) seenBy() int64 {
	if v.viewer() || v.share.ID != 0 {
		return 0
	}
	return v.person.ID
}

// names reports whether the visitor may see who other participants are.
func (v *visit) names() bool { return v.viewer() }

func (v *visit) actor() domain.Actor {
	name := v.person.Name
	if name == "" {
		name = v.person.Email
	}
	return domain.Actor{Kind: "person", PersonID: v.person.ID, Name: name, Admin: v.person.Admin}
}

// errSignIn makes a page send the visitor to the sign-in page, and everything else answer 401.
var errSignIn = domain.Errorf(domain.Unauthenticated, "You are not signed in.").Fix("Sign in, then come back.")

// serve makes a route of do: for those whom who admits, with at most body bytes of a form.
func (s *server) serve(who access, body int64, do handle) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, body)
		}
		v := &visit{}
		err := checkAddress(r)
		if err == nil {
			err = s.admit(r, who, v)
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

// admit finds out who visits and whether they may.
func (s *server) admit(r *http.Request, who access, v *visit) error {
	if err := s.identify(r, v); err != nil {
		return err
	}
	if who != anyone && !v.known() {
		return errSignIn
	}
	if who == anAdmin && !v.person.Admin {
		return domain.Errorf(domain.Forbidden, "This page is for the admins of %s.", s.Site.Name()).Fix("Ask one of them.")
	}
	slug := r.PathValue("fed")
	if slug == "" {
		return nil
	}
	return s.enter(r, who, slug, v)
}

func (s *server) identify(r *http.Request, v *visit) error {
	secret := ""
	if c, err := r.Cookie(account.SessionCookie); err == nil {
		secret = c.Value
	}
	if secret == "" {
		return nil
	}
	var err error
	v.person, v.session, err = s.Accounts.Authenticate(r.Context(), secret)
	if domain.CodeOf(err) == domain.Unauthenticated {
		v.person, v.session = domain.Person{}, domain.Session{}
		return nil // an ended session is a stranger's visit
	}
	if err == nil {
		portmux.Trust(r.Context())
	}
	return err
}

func noFederation() error {
	return domain.Errorf(domain.NotFound, "There is no such federation, or you have no part in it.").Fix("Check the address. Did you sign in with another e-mail address when you asked to join?")
}

// enter looks at the visitor's part in the federation of the address.
func (s *server) enter(r *http.Request, who access, slug string, v *visit) error {
	ctx := r.Context()
	fed, err := s.Onboarding.FederationBySlug(ctx, slug)
	if domain.CodeOf(err) == domain.NotFound {
		return noFederation()
	}
	if err != nil {
		return err
	}
	v.fed = fed
	if !v.known() {
		return nil
	}
	if v.role, err = s.Accounts.Role(ctx, v.person, fed.ID); err != nil {
		return err
	}
	if v.mine, err = s.Onboarding.Latest(ctx, fed.ID, v.person.ID); err != nil && domain.CodeOf(err) != domain.NotFound {
		return err
	}
	return v.may(who)
}

func (v *visit) may(who access) error {
	if who != aMember && who != aManager {
		return nil
	}
	switch {
	case v.role == domain.RoleNone && v.mine.ID != 0:
		return domain.Errorf(domain.Forbidden, "This page is for those who are in %s.", v.fed.Name).Fix("Your own page says where your request stands.")
	case v.role == domain.RoleNone:
		return noFederation()
	case who == aManager && !v.manager():
		return domain.Errorf(domain.Forbidden, "This page is for the managers of %s.", v.fed.Name).Fix("Ask one of them.")
	}
	return nil
}

// safeNext returns a path of this site to go to, or "" for anything else.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	return next
}

func (s *server) setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.Secure(r), SameSite: http.SameSiteLaxMode})
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request, personID int64) error {
	secret, session, err := s.Accounts.NewSession(r.Context(), personID, s.ClientAddress(r), r.UserAgent())
	if err != nil {
		return err
	}
	s.setCookie(w, r, account.SessionCookie, secret, max(int(session.ExpiresAt.Sub(s.Clock()).Seconds()), 1))
	return nil
}

// goOn sends somebody who has just signed in to where they wanted to go.
func (s *server) goOn(w http.ResponseWriter, r *http.Request, fallback string) {
	to := fallback
	if c, err := r.Cookie(nextCookie); err == nil {
		if path, err := url.QueryUnescape(c.Value); err == nil && safeNext(path) != "" {
			to = path
		}
		s.setCookie(w, r, nextCookie, "", -1)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
