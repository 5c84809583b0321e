package web

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
)

// siteView is the page of the site's settings, with what somebody has entered and not saved yet.
type siteView struct {
	all     []site.Setting // with the values shown
	errs    formErrors
	preview bool // nothing was saved: the values are only looked at
}

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

// logoShown is the address of the picture that the page shows.
func (sv siteView) logoShown() string { return sv.value(site.KeyLogo) }

func (s *server) siteSettings(w http.ResponseWriter, r *http.Request, v *visit) error {
	s.showSite(w, r, v, http.StatusOK, siteView{all: s.Site.Settings()})
	return nil
}

func (s *server) showSite(w http.ResponseWriter, r *http.Request, v *visit, status int, sv siteView) {
	s.render(w, r, v, status, page{title: "Settings", nav: "settings", mid: true}, siteSettingsPage(sv))
}

// changeSite saves the form, shows it without saving, or takes one field back to its default; what else was entered stays.
func (s *server) changeSite(w http.ResponseWriter, r *http.Request, v *visit) error {
	entered, err := readSiteForm(r, s.Site.Settings())
	if err != nil && domain.CodeOf(err) != domain.Invalid {
		return err
	}
	do := r.PostFormValue("do")
	reset, isReset := strings.CutPrefix(do, "reset:")
	switch {
	case isReset:
		if err := s.Site.Change(r.Context(), v.actor(), map[string]*string{reset: nil}); err != nil {
			return err
		}
		delete(entered, reset)
		s.showSite(w, r, v, http.StatusOK, siteView{all: with(s.Site.Settings(), entered), preview: differs(s.Site.Settings(), entered)})
		return nil
	case err == nil && do != "preview":
		if err = s.Site.Change(r.Context(), v.actor(), pointers(entered)); err == nil {
			return s.done(w, r, "/admin/settings", "Saved. It is in force on every page and in every mail from now on.")
		}
	case err == nil:
		err = checkAll(entered)
	}
	sv := siteView{all: with(s.Site.Settings(), entered), preview: true}
	status := http.StatusOK
	if err != nil {
		if sv.errs, status, err = formError(err, keysOf(sv.all)...); err != nil {
			return err
		}
	}
	s.showSite(w, r, v, status, sv)
	return nil
}

// readSiteForm returns what was entered, without the fields that the configuration sets. A picture that is none is an error at
// its field; the rest is returned all the same.
func readSiteForm(r *http.Request, all []site.Setting) (map[string]string, error) {
	out := map[string]string{}
	err := r.ParseMultipartForm(maxSettings)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return out, domain.Errorf(domain.TooLarge, "The form is too large.").Fix("A logo has at most 128 kB.")
	}
	if err != nil {
		return out, domain.Errorf(domain.Invalid, "The form cannot be read.").Fix("Load the page anew and try again.").Because(err)
	}
	for _, f := range all {
		if f.From == "" && r.PostForm.Has(f.Key) {
			out[f.Key] = r.PostForm.Get(f.Key)
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

// with returns the settings with the values that were entered.
func with(all []site.Setting, entered map[string]string) []site.Setting {
	for i, f := range all {
		if value, ok := entered[f.Key]; ok {
			all[i].Value = value
		}
	}
	return all
}

func differs(all []site.Setting, entered map[string]string) bool {
	return slices.ContainsFunc(all, func(f site.Setting) bool {
		value, ok := entered[f.Key]
		return ok && strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n")) != strings.TrimSpace(f.Value)
	})
}

func pointers(values map[string]string) map[string]*string {
	out := map[string]*string{}
	for key, value := range values {
		out[key] = &value
	}
	return out
}
