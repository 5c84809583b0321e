package web

import (
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
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
	errs       formErrors
}

func (s *server) accountView(r *http.Request, v *visit) (accountView, error) {
	ctx := r.Context()
	a := accountView{person: v.person, current: v.session, ways: s.Accounts.Ways(), days: "90", scope: string(domain.ScopeRead)}
	var err error
	if a.identities, err = s.Accounts.Identities(ctx, v.person.ID); err != nil {
		return a, err
	}
	if a.sessions, err = s.Accounts.Sessions(ctx, v.person.ID); err != nil {
		return a, err
	}
	a.tokens, err = s.Accounts.Tokens(ctx, v.person.ID)
	return a, err
}

func (s *server) showAccount(w http.ResponseWriter, r *http.Request, v *visit, status int, a accountView) {
	s.render(w, r, v, status, page{title: "My account", nav: "account", mid: true}, accountPage(a))
}

func (s *server) account(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := s.accountView(r, v)
	if err != nil {
		return err
	}
	s.showAccount(w, r, v, http.StatusOK, a)
	return nil
}

func (s *server) endSessions(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := formID(r)
	if err != nil {
		return err
	}
	ask := endSessionsConfirmation()
	if id != 0 {
		all, err := s.Accounts.Sessions(r.Context(), v.person.ID)
		if err != nil {
			return err
		}
		one, err := withID(all, "session", func(o domain.Session) bool { return o.ID == id })
		if err != nil {
			return err
		}
		ask = endSessionConfirmation(one, accountPath)
	}
	if ok, err := s.confirmed(w, r, v, ask); err != nil || !ok {
		return err
	}
	if err := s.Accounts.EndSessions(r.Context(), v.session, id); err != nil {
		return err
	}
	return s.done(w, r, accountPath, "Signed out there.")
}

func (s *server) unlink(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := formID(r)
	if err != nil {
		return err
	}
	all, err := s.Accounts.Identities(r.Context(), v.person.ID)
	if err != nil {
		return err
	}
	one, err := withID(all, "linked account", func(o domain.Identity) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, unlinkConfirmation(wayLabel(s.Accounts.Ways(), one.Provider))); err != nil || !ok {
		return err
	}
	if err := s.Accounts.Unlink(r.Context(), v.person, id); err != nil {
		return err
	}
	return s.done(w, r, accountPath, "The account is not linked any more.")
}

// newToken makes an API token and shows its text, this once.
func (s *server) newToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	name, days, scope := f.Get("name"), f.Get("days"), f.Get("scope")
	n, err := strconv.Atoi(days)
	made := ""
	if err != nil {
		err = notANumber("A life in days", days, "life")
	} else {
		life := time.Duration(min(max(n, 0), 10_000)) * 24 * time.Hour
		made, _, err = s.Accounts.CreateToken(r.Context(), v.actor(), v.person.ID, name, domain.TokenScope(scope), life)
	}
	status := http.StatusOK
	var errs formErrors
	if err != nil {
		if errs, status, err = formError(err, "name", "life", "scope"); err != nil {
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

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := formID(r)
	if err != nil {
		return err
	}
	all, err := s.Accounts.Tokens(r.Context(), v.person.ID)
	if err != nil {
		return err
	}
	one, err := withID(all, "API token", func(o domain.APIToken) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, revokeTokenConfirmation(one, accountPath)); err != nil || !ok {
		return err
	}
	if err := s.Accounts.RevokeToken(r.Context(), v.person, id); err != nil {
		return err
	}
	return s.done(w, r, accountPath, "The token does not work any more.")
}

const accountPath = "/me/account"

func endSessionsConfirmation() confirmation {
	return confirmation{"End all your other sessions? You stay signed in here.", "Sign out everywhere else", accountPath}
}

func unlinkConfirmation(label string) confirmation {
	return confirmation{"Unlink your account at " + label + "? You can no longer sign in with it.", "Unlink account", accountPath}
}
