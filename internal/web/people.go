package web

import (
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

const peoplePageSize = 50

// peopleView is a page of the instance's people.
type peopleView struct {
	search string
	list   []domain.Person
	next   int64 // the id to go on before; 0: there are no more
	self   int64
}

// personWords is how a person can be reached and where they belong.
func personWords(p domain.Person) string {
	if p.Organisation == "" {
		return orDash(p.Email)
	}
	return orDash(p.Email) + ", " + p.Organisation
}

func (s *server) people(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // what is no id begins at the newest
	p := peopleView{search: strings.TrimSpace(q.Get("q")), self: v.person.ID}
	var err error
	if p.list, err = s.Accounts.People(r.Context(), domain.PeopleFilter{Search: p.search, BeforeID: max(before, 0), Limit: peoplePageSize + 1}); err != nil {
		return err
	}
	if len(p.list) > peoplePageSize {
		p.list = p.list[:peoplePageSize]
		p.next = p.list[peoplePageSize-1].ID
	}
	s.render(w, r, v, http.StatusOK, page{title: "People", nav: "admin", mid: true}, peoplePage(p))
	return nil
}

// adminConfirmation asks before a person becomes an admin, or is one no longer.
func adminConfirmation(who domain.Person, admin bool) confirmation {
	if admin {
		return confirmation{"Make " + personName(who) + " an admin? Admins can do everything on this server, and see every federation.", "Make admin", "/admin/people"}
	}
	return confirmation{"Remove admin rights from " + personName(who) + "?", "Remove admin rights", "/admin/people"}
}

func (s *server) setAdmin(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := personID(r)
	if err != nil {
		return err
	}
	admin := r.PostForm.Get("admin") == "true"
	a, err := s.Accounts.Access(r.Context(), id)
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, adminConfirmation(a.Person, admin)); err != nil || !ok {
		return err
	}
	p, err := s.Accounts.SetAdmin(r.Context(), v.actor(), id, admin)
	if err != nil {
		return err
	}
	result := personName(p) + " is an admin now."
	if !p.Admin {
		result = personName(p) + " is no admin any more."
	}
	return s.done(w, r, "/admin/people", result)
}
