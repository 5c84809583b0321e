package admin

import (
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// eraseConfirmation asks before a person's data is erased.
func eraseConfirmation(who domain.Person) visit.Confirmation {
	return visit.Confirmation{Words: "Erase " + ui.PersonName(who) + "? Their address, name, sign-ins, roles and the texts of their requests are " +
		"removed for good, also from the audit. This cannot be undone.", Do: "Erase person", Back: "/admin/people/" + ui.Itoa64(who.ID)}
}

// Erase erases a person's data.
func (s *Pages) Erase(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	person, err := personID(r)
	if err != nil {
		return err
	}
	a, err := s.Accounts.Access(r.Context(), person)
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, eraseConfirmation(a.Person)); err != nil || !ok {
		return err
	}
	label, err := s.Accounts.Erase(r.Context(), v.Actor(), person)
	if domain.CodeOf(err) == domain.Conflict {
		p := visit.Problems(err)[0]
		return s.Done(w, r, "/admin/people/"+ui.Itoa64(person), p.Message+" "+p.Remedy)
	}
	if err != nil {
		return err
	}
	return s.Done(w, r, "/admin/people", "Erased. In the audit and in runs they are now called "+label+".")
}
