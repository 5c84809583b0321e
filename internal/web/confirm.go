package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/a-h/templ"
)

// confirmedField is set by the script's dialog, and by the page that asks where there is no script.
const confirmedField = "confirmed"

// confirmation asks before something that gives or takes a lot.
type confirmation struct {
	words string // the question, with what follows
	do    string // on the button
	back  string // the address to return to
}

// hiddenField is a value of the form that is asked about.
type hiddenField struct{ name, value string }

// confirmed reports whether the form that was sent has been confirmed. If not, it answers with a page that asks, and sends the same
// form again.
func (s *server) confirmed(w http.ResponseWriter, r *http.Request, v *visit, c confirmation) (bool, error) {
	if err := parseForm(r); err != nil {
		return false, err
	}
	if r.PostForm.Get(confirmedField) == "yes" {
		return true, nil
	}
	s.render(w, r, v, http.StatusOK, page{title: c.do, mid: true}, confirmPage(c, r.URL.EscapedPath(), hiddenFields(r.PostForm)))
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

// attributes make a form ask in a dialog where there is a script; the server asks on a page where there is none.
func (c confirmation) attributes() templ.Attributes {
	return templ.Attributes{"data-confirm": c.words, "data-confirm-do": c.do}
}
