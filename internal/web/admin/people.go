package admin

import (
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
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
		return ui.OrDash(p.Email)
	}
	return ui.OrDash(p.Email) + ", " + p.Organisation
}

// People is the list of everybody, and the search in it.
func (s *Pages) People(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := r.URL.Query()
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // what is no id begins at the newest
	p := peopleView{search: strings.TrimSpace(q.Get("q")), self: v.Person.ID}
	var err error
	if p.list, err = s.Accounts.People(r.Context(),
		domain.PeopleFilter{Search: p.search, BeforeID: max(before, 0), Limit: peoplePageSize + 1}); err != nil {
		return err
	}
	if len(p.list) > peoplePageSize {
		p.list = p.list[:peoplePageSize]
		p.next = p.list[peoplePageSize-1].ID
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "People", Nav: "admin", Mid: true}, peoplePage(p))
	return nil
}

// adminConfirmation asks before a person becomes an admin, or is one no longer.
func adminConfirmation(who domain.Person, admin bool) visit.Confirmation {
	if admin {
		return visit.Confirmation{Words: "Make " + ui.PersonName(who) +
			" an admin? Admins can do everything on this server, and see every federation.", Do: "Make admin", Back: "/admin/people"}
	}
	return visit.Confirmation{Words: "Remove admin rights from " + ui.PersonName(who) + "?", Do: "Remove admin rights", Back: "/admin/people"}
}

// SetAdmin makes somebody an admin, or no longer one.
func (s *Pages) SetAdmin(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
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
	if ok, err := s.Confirmed(w, r, v, adminConfirmation(a.Person, admin)); err != nil || !ok {
		return err
	}
	p, err := s.Accounts.SetAdmin(r.Context(), v.Actor(), id, admin)
	if err != nil {
		return err
	}
	result := ui.PersonName(p) + " is an admin now."
	if !p.Admin {
		result = ui.PersonName(p) + " is no admin any more."
	}
	return s.Done(w, r, "/admin/people", result)
}
