package admin

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// siteView is the page of the site's settings, with what somebody has entered and not saved yet.
type siteView struct {
	all     []site.Setting    // with the values shown
	was     map[string]string // tags of what is in force: a field that comes back with its tag was not changed by who sends the form
	errs    ui.FormErrors
	preview bool // nothing was saved: the values are only looked at
}

// siteView shows what is in force, and over it what was entered.
func (s *Pages) siteView(entered map[string]string) siteView {
	sv := siteView{all: s.Site.Settings(), was: map[string]string{}}
	for i, f := range sv.all {
		sv.was[f.Key] = visit.Tag(plain(f.Value))
		if value, ok := entered[f.Key]; ok {
			sv.preview = sv.preview || plain(value) != plain(f.Value)
			sv.all[i].Value = value
		}
	}
	return sv
}

// plain is a text without what a browser makes of its ends and line ends.
func plain(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

func (sv siteView) group(name string) []site.Setting {
	return slices.DeleteFunc(slices.Clone(sv.all), func(f site.Setting) bool { return f.Group != name })
}

func (sv siteView) value(key string) string {
	for _, f := range sv.all {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// wrongIn reports whether a field of the group has an error: it must not hide in a closed part of the page.
func (sv siteView) wrongIn(group string) bool {
	return slices.ContainsFunc(sv.group(group), func(f site.Setting) bool { _, bad := sv.errs[f.Key]; return bad })
}

func (sv siteView) mail(kind string) domain.Mail {
	return site.Preview(kind, sv.value("mail."+kind+".subject"), sv.value("mail."+kind+".text"), sv.value(site.KeyName))
}

// previewStyle is the address of a style sheet with the colours that the page shows and that need not be in force.
func (sv siteView) previewStyle() string {
	return "/site.css?" + url.Values{"light": {sv.value(site.KeyLight)}, "dark": {sv.value(site.KeyDark)}}.Encode()
}

// touched reports whether the page shows something else than what is in force.
func (sv siteView) touched(key string) bool { return visit.Tag(plain(sv.value(key))) != sv.was[key] }

// logoShown is the address of the picture that the page shows; one that is not saved yet is in the page itself.
func (sv siteView) logoShown() string {
	if value := sv.value(site.KeyLogo); value == "" || sv.touched(site.KeyLogo) {
		return value
	}
	return "/site/logo?v=" + sv.was[site.KeyLogo]
}

// Settings is the form of how the site speaks of itself.
func (s *Pages) Settings(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	s.showSite(w, r, v, http.StatusOK, s.siteView(nil))
	return nil
}

func (s *Pages) showSite(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, sv siteView) {
	s.Render(w, r, v, status, ui.Page{Title: "Settings", Nav: "admin", Mid: true}, siteSettingsPage(sv))
}

// ChangeSettings saves the form, shows it without saving, or takes one field back to its default; what else was entered stays.
func (s *Pages) ChangeSettings(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	entered, err := readSiteForm(r, s.Site.Settings())
	if err != nil && domain.CodeOf(err) != domain.Invalid {
		return err
	}
	do := r.PostFormValue("do")
	reset, isReset := strings.CutPrefix(do, "reset:")
	switch {
	case isReset:
		if err := s.Site.Change(r.Context(), v.Actor(), map[string]*string{reset: nil}); err != nil {
			return err
		}
		delete(entered, reset)
		s.showSite(w, r, v, http.StatusOK, s.siteView(entered))
		return nil
	case err == nil && do != "preview":
		if err = s.Site.Change(r.Context(), v.Actor(), pointers(entered)); err == nil {
			return s.Done(w, r, "/admin/settings", "Saved. It is in force on every page and in every mail from now on.")
		}
	case err == nil:
		err = checkAll(entered)
	}
	sv := s.siteView(entered)
	status := http.StatusOK
	if err != nil {
		if sv.errs, status, err = visit.FormError(err, keysOf(sv.all)...); err != nil {
			return err
		}
	}
	s.showSite(w, r, v, status, sv)
	return nil
}

// inMemory is how many bytes of a form with a picture are kept in memory; more of them go to a file.
const inMemory = 512 << 10

// readSiteForm returns what was entered, without the fields that the configuration sets and those that were not touched: another
// admin may have changed them meanwhile. A picture that is none is an error at
// its field; the rest is returned all the same.
func readSiteForm(r *http.Request, all []site.Setting) (map[string]string, error) {
	out := map[string]string{}
	err := r.ParseMultipartForm(inMemory)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return out, domain.Errorf(domain.TooLarge, "The form is too large.").Fix("A logo has at most 128 kB.")
	}
	if err != nil {
		return out, domain.Errorf(domain.Invalid, "The form cannot be read.").Fix("Reload the page and try again.").Because(err)
	}
	if err := visit.CheckValues(r.PostForm); err != nil {
		return out, err
	}
	for _, f := range all {
		value := r.PostForm.Get(f.Key)
		if f.From == "" && r.PostForm.Has(f.Key) && r.PostForm.Get("was:"+f.Key) != visit.Tag(plain(value)) {
			out[f.Key] = value
		}
	}
	file, _, err := r.FormFile("logo_file")
	if errors.Is(err, http.ErrMissingFile) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return out, err
	}
	logo, err := site.ReadLogo(data)
	if err == nil {
		out[site.KeyLogo] = logo
	}
	return out, err
}

func checkAll(entered map[string]string) error {
	var errs domain.Errors
	for _, key := range slices.Sorted(maps.Keys(entered)) {
		_, err := site.Check(key, entered[key])
		errs = errs.With(err)
	}
	return errs.OrNil()
}

func keysOf(all []site.Setting) []string {
	keys := make([]string, len(all))
	for i, f := range all {
		keys[i] = f.Key
	}
	return keys
}

func pointers(values map[string]string) map[string]*string {
	out := map[string]*string{}
	for key, value := range values {
		out[key] = &value
	}
	return out
}
