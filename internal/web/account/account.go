package account

import (
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// accountView is everything the page of one's own account shows.
type accountView struct {
	person     domain.Person
	current    domain.Session
	identities []domain.Identity
	ways       []account.Way
	sessions   []domain.Session
	tokens     []domain.APIToken
	made       string // a new token's text, shown this once
	name       string // kept input
	days       string
	scope      string
	errs       ui.FormErrors
}

func (s *Pages) accountView(r *http.Request, v *visit.Visit) (accountView, error) {
	ctx := r.Context()
	a := accountView{person: v.Person, current: v.Session, ways: s.Accounts.Ways(), days: "90", scope: string(domain.ScopeRead)}
	var err error
	if a.identities, err = s.Accounts.Identities(ctx, v.Person.ID); err != nil {
		return a, err
	}
	if a.sessions, err = s.Accounts.Sessions(ctx, v.Person.ID); err != nil {
		return a, err
	}
	a.tokens, err = s.Accounts.Tokens(ctx, v.Person.ID)
	return a, err
}

func (s *Pages) showAccount(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, a accountView) {
	s.Render(w, r, v, status, ui.Page{Title: "My account", Nav: "account", Mid: true}, accountPage(a))
}

// Page is the page of the visitor's account.
func (s *Pages) Page(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	a, err := s.accountView(r, v)
	if err != nil {
		return err
	}
	s.showAccount(w, r, v, http.StatusOK, a)
	return nil
}

// EndSessions ends a session of the visitor, or all but this one.
func (s *Pages) EndSessions(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := visit.FormID(r)
	if err != nil {
		return err
	}
	ask := endSessionsConfirmation()
	if id != 0 {
		all, err := s.Accounts.Sessions(r.Context(), v.Person.ID)
		if err != nil {
			return err
		}
		one, err := visit.WithID(all, "session", func(o domain.Session) bool { return o.ID == id })
		if err != nil {
			return err
		}
		ask = visit.EndSessionConfirmation(one, accountPath)
	}
	if ok, err := s.Confirmed(w, r, v, ask); err != nil || !ok {
		return err
	}
	if err := s.Accounts.EndSessions(r.Context(), v.Session, id); err != nil {
		return err
	}
	return s.Done(w, r, accountPath, "Signed out there.")
}

// Unlink takes away a way to sign in.
func (s *Pages) Unlink(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := visit.FormID(r)
	if err != nil {
		return err
	}
	all, err := s.Accounts.Identities(r.Context(), v.Person.ID)
	if err != nil {
		return err
	}
	one, err := visit.WithID(all, "linked account", func(o domain.Identity) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, unlinkConfirmation(wayLabel(s.Accounts.Ways(), one.Provider))); err != nil || !ok {
		return err
	}
	if err := s.Accounts.Unlink(r.Context(), v.Person, id); err != nil {
		return err
	}
	return s.Done(w, r, accountPath, "The account is not linked any more.")
}

// NewToken makes an API token and shows its text, this once.
func (s *Pages) NewToken(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	name, days, scope := f.Get("name"), f.Get("days"), f.Get("scope")
	n, err := strconv.Atoi(days)
	made := ""
	if err != nil {
		err = visit.NotANumber("A life in days", days, "life")
	} else {
		life := time.Duration(min(max(n, 0), 10_000)) * 24 * time.Hour
		made, _, err = s.Accounts.CreateToken(r.Context(), v.Actor(), v.Person.ID, name, domain.TokenScope(scope), life)
	}
	status := http.StatusOK
	var errs ui.FormErrors
	if err != nil {
		if errs, status, err = visit.FormError(err, "name", "life", "scope"); err != nil {
			return err
		}
	}
	a, err := s.accountView(r, v)
	if err != nil {
		return err
	}
	a.made, a.errs = made, errs
	if len(errs) > 0 {
		a.name, a.days, a.scope = name, days, scope
	}
	s.showAccount(w, r, v, status, a)
	return nil
}

// RevokeToken revokes an API token of the visitor.
func (s *Pages) RevokeToken(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := visit.FormID(r)
	if err != nil {
		return err
	}
	all, err := s.Accounts.Tokens(r.Context(), v.Person.ID)
	if err != nil {
		return err
	}
	one, err := visit.WithID(all, "API token", func(o domain.APIToken) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, visit.RevokeTokenConfirmation(one, accountPath)); err != nil || !ok {
		return err
	}
	if err := s.Accounts.RevokeToken(r.Context(), v.Person, id); err != nil {
		return err
	}
	return s.Done(w, r, accountPath, "The token does not work any more.")
}

const accountPath = "/me/account"

func endSessionsConfirmation() visit.Confirmation {
	return visit.Confirmation{Words: "End all your other sessions? You stay signed in here.", Do: "Sign out everywhere else",
		Back: accountPath}
}

func unlinkConfirmation(label string) visit.Confirmation {
	return visit.Confirmation{Words: "Unlink your account at " + label + "? You can no longer sign in with it.", Do: "Unlink account",
		Back: accountPath}
}
