package web

import (
	"net/http"
	"strconv"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"

	"github.com/a-h/templ"
)

func personURL(p domain.Person, part string) templ.SafeURL {
	return templ.SafeURL("/admin/people/" + itoa64(p.ID) + part)
}

// personID reads the id in the address of a person's page.
func personID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, domain.Errorf(domain.NotFound, "There is no such person.")
	}
	return id, nil
}

func (s *server) person(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := personID(r)
	if err != nil {
		return err
	}
	a, err := s.Accounts.Access(r.Context(), id)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: personName(a.Person), nav: "admin", mid: true}, personPage(a))
	return nil
}

func (s *server) endPersonSession(w http.ResponseWriter, r *http.Request, v *visit) error {
	ask := func(a account.Access, id int64) (confirmation, error) {
		one, err := withID(a.Sessions, "session", func(o domain.Session) bool { return o.ID == id })
		return endSessionConfirmation(one, string(personURL(a.Person, ""))), err
	}
	end := func(person, id int64) error { return s.Accounts.EndSessionOf(r.Context(), v.actor(), person, id) }
	return s.endOne(w, r, v, ask, end, "The session has ended.")
}

func (s *server) revokePersonToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	ask := func(a account.Access, id int64) (confirmation, error) {
		one, err := withID(a.Tokens, "API token", func(o domain.APIToken) bool { return o.ID == id })
		return revokeTokenConfirmation(one, string(personURL(a.Person, ""))), err
	}
	end := func(person, id int64) error { return s.Accounts.RevokeTokenOf(r.Context(), v.actor(), person, id) }
	return s.endOne(w, r, v, ask, end, "The API token is revoked.")
}

// endOne ends what a form of a person's page names, after it was confirmed.
func (s *server) endOne(w http.ResponseWriter, r *http.Request, v *visit, ask func(account.Access, int64) (confirmation, error),
	end func(person, id int64) error, result string) error {
	person, err := personID(r)
	if err != nil {
		return err
	}
	id, err := formID(r)
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
	if ok, err := s.confirmed(w, r, v, c); err != nil || !ok {
		return err
	}
	if err := end(person, id); err != nil {
		return err
	}
	return s.done(w, r, "/admin/people/"+itoa64(person), result)
}

// signOutConfirmation asks before a person's sessions and tokens are ended.
func signOutConfirmation(who domain.Person) confirmation {
	return confirmation{"Sign " + personName(who) + " out everywhere and revoke all their API tokens? They can sign in again.", "Sign out everywhere",
		"/admin/people/" + itoa64(who.ID)}
}

func (s *server) endAccess(w http.ResponseWriter, r *http.Request, v *visit) error {
	person, err := personID(r)
	if err != nil {
		return err
	}
	a, err := s.Accounts.Access(r.Context(), person)
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, signOutConfirmation(a.Person)); err != nil || !ok {
		return err
	}
	ended, err := s.Accounts.EndAccess(r.Context(), v.actor(), person)
	if err != nil {
		return err
	}
	return s.done(w, r, "/admin/people/"+itoa64(person), personName(ended.Person)+" is signed out everywhere, and their API tokens are revoked.")
}
