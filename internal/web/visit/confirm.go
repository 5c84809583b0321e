package visit

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"blossomtune/internal/web/ui"

	"github.com/a-h/templ"
)

// confirmedField is set by the script's dialog, and by the page that asks where there is no script.
const confirmedField = "confirmed"

// Confirmation asks before something that gives or takes a lot.
type Confirmation struct {
	Words string // the question, with what follows
	Do    string // on the button
	Back  string // the address to return to
}

// hiddenField is a value of the form that is asked about.
type hiddenField struct{ name, value string }

// Confirmed reports whether the form that was sent has been confirmed. If not, it answers with a page that asks, and sends the same
// form again.
func (s *Host) Confirmed(w http.ResponseWriter, r *http.Request, v *Visit, c Confirmation) (bool, error) {
	if err := ParseForm(r); err != nil {
		return false, err
	}
	if r.PostForm.Get(confirmedField) == "yes" {
		return true, nil
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: c.Do, Mid: true}, confirmPage(c, r.URL.EscapedPath(), hiddenFields(r.PostForm)))
	return false, nil
}

func hiddenFields(form url.Values) (out []hiddenField) {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			if name != confirmedField {
				out = append(out, hiddenField{name, value})
			}
		}
	}
	return out
}

// Attributes make a form ask in a dialog where there is a script; the server asks on a page where there is none.
func (c Confirmation) Attributes() templ.Attributes {
	return templ.Attributes{"data-confirm": c.Words, "data-confirm-do": c.Do}
}
