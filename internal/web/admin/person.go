package admin

import (
	"net/http"
	"strconv"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"

	"github.com/a-h/templ"
)

func personURL(p domain.Person, part string) templ.SafeURL {
	return templ.SafeURL("/admin/people/" + ui.Itoa64(p.ID) + part)
}

// personID reads the id in the address of a person's page.
func personID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, domain.Errorf(domain.NotFound, "There is no such person.")
	}
	return id, nil
}

// Person is the page of one person and their access.
func (s *Pages) Person(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := personID(r)
	if err != nil {
		return err
	}
	a, err := s.Accounts.Access(r.Context(), id)
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: ui.PersonName(a.Person), Nav: "admin", Mid: true}, personPage(a))
	return nil
}

// EndSession ends one session of a person.
func (s *Pages) EndSession(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ask := func(a account.Access, id int64) (visit.Confirmation, error) {
		one, err := visit.WithID(a.Sessions, "session", func(o domain.Session) bool { return o.ID == id })
		return visit.EndSessionConfirmation(one, string(personURL(a.Person, ""))), err
	}
	end := func(person, id int64) error { return s.Accounts.EndSessionOf(r.Context(), v.Actor(), person, id) }
	return s.endOne(w, r, v, ask, end, "The session has ended.")
}

// RevokeToken revokes one API token of a person.
func (s *Pages) RevokeToken(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ask := func(a account.Access, id int64) (visit.Confirmation, error) {
		one, err := visit.WithID(a.Tokens, "API token", func(o domain.APIToken) bool { return o.ID == id })
		return visit.RevokeTokenConfirmation(one, string(personURL(a.Person, ""))), err
	}
	end := func(person, id int64) error { return s.Accounts.RevokeTokenOf(r.Context(), v.Actor(), person, id) }
	return s.endOne(w, r, v, ask, end, "The API token is revoked.")
}

// endOne ends what a form of a person's page names, after it was confirmed.
func (s *Pages) endOne(w http.ResponseWriter, r *http.Request, v *visit.Visit, ask func(account.Access, int64) (visit.Confirmation, error),
	end func(person, id int64) error, result string) error {
	person, err := personID(r)
	if err != nil {
		return err
	}
	id, err := visit.FormID(r)
	if err != nil {
		return err
	}
	a, err := s.Accounts.Access(r.Context(), person)
	if err != nil {
		return err
	}
	c, err := ask(a, id)
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, c); err != nil || !ok {
		return err
	}
	if err := end(person, id); err != nil {
		return err
	}
	return s.Done(w, r, "/admin/people/"+ui.Itoa64(person), result)
}

// signOutConfirmation asks before a person's sessions and tokens are ended.
func signOutConfirmation(who domain.Person) visit.Confirmation {
	return visit.Confirmation{Words: "Sign " + ui.PersonName(who) +
		" out everywhere and revoke all their API tokens? They can sign in again.", Do: "Sign out everywhere",
		Back: "/admin/people/" + ui.Itoa64(who.ID)}
}

// EndAccess ends all sessions and tokens of a person.
func (s *Pages) EndAccess(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	person, err := personID(r)
	if err != nil {
		return err
	}
	a, err := s.Accounts.Access(r.Context(), person)
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, signOutConfirmation(a.Person)); err != nil || !ok {
		return err
	}
	ended, err := s.Accounts.EndAccess(r.Context(), v.Actor(), person)
	if err != nil {
		return err
	}
	return s.Done(w, r, "/admin/people/"+ui.Itoa64(person),
		ui.PersonName(ended.Person)+" is signed out everywhere, and their API tokens are revoked.")
}
