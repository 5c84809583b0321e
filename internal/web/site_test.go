package web_test

import (
	"blossomtune/internal/servertest"
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	branding "blossomtune/internal/site"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>`

// settings posts the form of the site's settings as the admin's browser does: all fields, with some changed; logo is a file.
func (s *site) settings(do, logo string, changed ...string) answer {
	s.T.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fields := map[string]string{"do": do}
	for _, f := range s.Server.Site.Settings() {
		if f.From == "" {
			fields[f.Key] = f.Value
		}
	}
	for i := 0; i+1 < len(changed); i += 2 {
		fields[changed[i]] = changed[i+1]
	}
	for key, value := range fields {
		if err := w.WriteField(key, strings.ReplaceAll(value, "\n", "\r\n")); err != nil {
			s.T.Fatal(err)
		}
	}
	if logo != "" {
		part, err := w.CreateFormFile("logo_file", "logo")
		if err == nil {
			_, err = part.Write([]byte(logo))
		}
		if err != nil {
			s.T.Fatal(err)
		}
	}
	w.Close()
	return s.Send("admin", http.MethodPost, "/admin/settings", nil, func(r *http.Request) {
		r.Body, r.ContentLength = servertest.Body(b.String()), int64(b.Len())
		r.Header.Set("Content-Type", w.FormDataContentType())
	})
}

func (s *site) settingsAudit() (out []domain.AuditEntry) {
	s.T.Helper()
	err := s.Server.DB.View(s.T.Context(), func(tx *store.Tx) (err error) {
		out, err = tx.AuditEntries(s.T.Context(), domain.AuditFilter{ObjectKind: "settings", Limit: 100})
		return err
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return out
}

// What admins set is on every page and in every mail at once, in one transaction with its audit row, and after a restart.
func TestTheSiteSpeaksAsItsAdminsSay(t *testing.T) {
	s := newSite(t)
	a := s.settings("save", drawing, "name", "Cardio Net", "colour.light", "#0b5394", "colour.dark", "#9FC5E8", "welcome", "Welcome to {site}.\n\nSee https://cardio.example/about.",
		"help", "Write to help@cardio.example", "contact", "help@cardio.example", "mail.code.subject", "{site}: {code}", "mail.code.text", "Dear colleague,\n\n    {code}\n\n{link}\nfor {federation}")
	if a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	rows := s.settingsAudit()
	if len(rows) != 1 || rows[0].Actor.Name != "admin" || len(rows[0].Detail) != 9 || rows[0].Detail["name"] != "Cardio Net" {
		t.Errorf("audited as %+v", rows)
	}
	front := s.Get("stranger", "/")
	for _, want := range []string{"<title>Train together, keep the data at home · Cardio Net", "Welcome to Cardio Net.", `href="https://cardio.example/about"`, `href="/help"`, `href="mailto:help@cardio.example"`, `src="/site/logo?v=`, `<link rel="stylesheet" href="/site.css?v=`} {
		if !strings.Contains(front.Body, want) {
			t.Errorf("the front door lacks %s", want)
		}
	}
	if i, j := strings.Index(front.Body, "/assets/app"), strings.Index(front.Body, "/site.css"); i < 0 || j < i {
		t.Error("the site's colours do not come after the style sheet")
	}
	if page := s.Get("stranger", "/help").Body; !strings.Contains(page, `Write to <a href="mailto:help@cardio.example"`) {
		t.Error("the page of help does not help")
	}
	if page := s.Get("admin", "/admin/settings").Body; strings.Contains(page, "base64,") || !strings.Contains(page, `src="/site/logo?v=`) {
		t.Error("the picture is in the page of the settings itself")
	}
	css := s.Get("stranger", "/site.css")
	if css.Status != http.StatusOK || !strings.HasPrefix(css.Header.Get("Content-Type"), "text/css") ||
		!strings.Contains(css.Body, "--brand:light-dark(#0B5394,#9FC5E8)") {
		t.Errorf("the colours: %d %s", css.Status, css.Body)
	}
	for _, path := range []string{"/site.css", "/site/logo"} {
		tag := s.Get("stranger", path).Header.Get("ETag")
		if again := s.Send("stranger", http.MethodGet, path, nil, func(r *http.Request) { r.Header.Set("If-None-Match", tag) }); tag == "" ||
			again.Status != http.StatusNotModified || again.Body != "" {
			t.Errorf("%s again: %d", path, again.Status)
		}
	}
	logo := s.Get("stranger", "/site/logo")
	if csp := logo.Header.Get("Content-Security-Policy"); logo.Body != drawing || logo.Header.Get("Content-Type") != "image/svg+xml" ||
		!strings.Contains(csp, "sandbox") || !strings.Contains(csp, "default-src 'none'") ||
		strings.Contains(csp, "allow-scripts") || len(logo.Header.Values("Content-Security-Policy")) != 1 ||
		logo.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the logo: %v %s", logo.Header, logo.Body)
	}
	s.Post("stranger", "/join/fed", "email", "new@example.org", "name", "New")
	if m := s.Mailed("new@example.org"); !strings.HasPrefix(m.Subject, "Cardio Net: ") ||
		!strings.HasPrefix(m.Text, "Dear colleague,\n\n    ") || !strings.Contains(m.Text, s.Server.PublicURL()+"/verify?ref=") ||
		!strings.HasSuffix(m.Text, "for Fed\n") {
		t.Errorf("the mail is %+v", m)
	}
	s.Post("stranger", "/signin", "email", "viewer@example.org")
	if m := s.Mailed("viewer@example.org"); m.Subject != "Sign in to Cardio Net" {
		t.Errorf("the sign-in mail says %q", m.Subject)
	}
	after := branding.New(branding.Options{Store: store.Adapt[branding.Tx](s.Server.DB), Clock: s.Now})
	if err := after.Load(t.Context()); err != nil || after.Name() != "Cardio Net" || after.Value("help") != "Write to help@cardio.example" {
		t.Errorf("after a restart: %q, %v", after.Name(), err)
	}
	// One field back to its default; what else was entered and not saved stays in the form and is not saved.
	a = s.settings("reset:name", "", "help", "Not saved yet")
	if a.Status != http.StatusOK || s.Server.Site.Name() != "BlossomTune" || s.Server.Site.Value("help") != "Write to help@cardio.example" ||
		!strings.Contains(a.Body, "Not saved yet") {
		t.Errorf("reset: %d, name %s, help %s", a.Status, s.Server.Site.Name(), s.Server.Site.Value("help"))
	}
	s.settings("save", "")
	if rows := s.settingsAudit(); len(rows) != 2 || rows[0].Detail["name"] != "the default again" {
		t.Errorf("a save that changes nothing was audited: %+v", rows)
	}
}

// What is wrong is refused at its field, with the cause; nothing is saved, what was entered stays.
func TestWrongSettingsAreRefusedAtTheirFields(t *testing.T) {
	s := newSite(t)
	var big bytes.Buffer
	if err := png.Encode(&big, image.NewGray(image.Rect(0, 0, 3000, 2))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ logo, key, value, want string }{
		"no name":              {key: "name", value: " ", want: "Name is empty."},
		"a long name":          {key: "name", value: strings.Repeat("x", 61), want: "longer than 60 bytes"},
		"no colour":            {key: "colour.light", value: "crimson", want: "is not a colour."},
		"a pale colour":        {key: "colour.light", value: "#FF8DBE", want: "has a contrast of 2.14 : 1; people need 4.5 : 1."},
		"a colour too dark":    {key: "colour.dark", value: "#A21C5B", want: "has a contrast of 2.59 : 1"},
		"a contact":            {key: "contact", value: "javascript:alert(1)", want: "neither an e-mail address nor a web address"},
		"a welcome":            {key: "welcome", value: "{code}", want: "The welcome text has no {code}."},
		"an unknown one":       {key: "mail.code.text", value: "{code} {link} {cod}", want: "This mail has no {cod}."},
		"no code":              {key: "mail.code.text", value: "Look: {link}", want: "{code} is missing"},
		"no link":              {key: "mail.signin.text", value: "Sign in!", want: "{link} is missing"},
		"another mail's":       {key: "mail.signin.subject", value: "{code}", want: "This mail has no {code}."},
		"no picture":           {logo: "GIF89a", key: "logo", want: "neither an SVG nor a PNG"},
		"a script":             {logo: `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, key: "logo", want: "The drawing holds <script>"},
		"a handler":            {logo: `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, key: "logo", want: "The drawing holds onload="},
		"another document":     {logo: `<svg xmlns="http://www.w3.org/2000/svg"><foreignObject/></svg>`, key: "logo", want: "foreignobject"},
		"a reference":          {logo: `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="https://evil.example/x"/></svg>`, key: "logo", want: "a reference to https://evil.example/x"},
		"entities":             {logo: `<!DOCTYPE svg [<!ENTITY a "x">]><svg xmlns="http://www.w3.org/2000/svg"/>`, key: "logo", want: "a document type"},
		"HTML":                 {logo: `<html xmlns="http://www.w3.org/1999/xhtml"/>`, key: "logo", want: "neither an SVG nor a PNG"},
		"half a picture":       {logo: "\x89PNG\r\n\x1a\n", key: "logo", want: "neither an SVG nor a PNG"},
		"a picture too large":  {logo: big.String(), key: "logo", want: "3000 × 2 pixels"},
		"a picture too heavy":  {logo: drawing + strings.Repeat(" ", 128<<10), key: "logo", want: "more than 128 kB"},
		"a logo by the letter": {key: "logo", value: "data:text/html;base64,PHNjcmlwdD4=", want: "neither an SVG nor a PNG"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := []string{"help", "Kept as typed"}
			if c.value != "" {
				fields = append(fields, c.key, c.value)
			}
			for _, do := range []string{"save", "preview"} {
				a := s.settings(do, c.logo, fields...)
				if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, `id="err-`+c.key+`"`) ||
					!strings.Contains(html.UnescapeString(a.Body), c.want) {
					t.Errorf("%s: %d, %q is not told at %s", do, a.Status, c.want, c.key)
				}
				if !strings.Contains(a.Body, "Kept as typed") {
					t.Error("the rest of the form is lost")
				}
			}
		})
	}
	if rows := s.settingsAudit(); len(rows) != 0 || s.Server.Site.Value("help") != "" {
		t.Errorf("something was saved: %+v", rows)
	}
}

// A preview shows what would be, and changes nothing.
func TestAPreviewChangesNothing(t *testing.T) {
	s := newSite(t)
	a := s.settings("preview", drawing, "name", `<script>alert(1)</script>`, "colour.light", "#0B5394", "mail.signin.text", "Hello {link}")
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "This is a preview") || !strings.Contains(a.Body, "&lt;script&gt;alert(1)") ||
		strings.Contains(a.Body, "<script>alert") ||
		!strings.Contains(a.Body, `src="data:image/svg&#43;xml;base64,`) && !strings.Contains(a.Body, `src="data:image/svg+xml;base64,`) ||
		!strings.Contains(a.Body, "light=%230B5394") || !strings.Contains(a.Body, "Hello https://fl.example.org/signin/") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if s.Server.Site.Name() != "BlossomTune" || len(s.settingsAudit()) != 0 || strings.Contains(s.Get("stranger", "/").Body, "/site.css") {
		t.Error("the preview was saved")
	}
	if css := s.Get("stranger", "/site.css?light=%230B5394&dark=%23FF8DBE").Body; !strings.HasPrefix(css,
		".b-preview{--brand:light-dark(#0B5394,#FF8DBE)") {
		t.Errorf("its colours: %q", css)
	}
	if css := s.Get("stranger", "/site.css?light="+"red}body{x:1"+"&dark=%23FF8DBE").Body; css != "" {
		t.Errorf("anything can be put into the style sheet: %q", css)
	}
}

// Two admins at two forms: each changes what they touched, and undoes nothing of the other.
func TestAFormUndoesNothingOfAnother(t *testing.T) {
	s := newSite(t)
	page := s.Get("admin", "/admin/settings").Body
	var stale []string // all fields as this page shows them, with what it says of them
	for _, f := range s.Server.Site.Settings() {
		tag := regexp.MustCompile(`name="was:` + regexp.QuoteMeta(f.Key) + `" value="([0-9a-f]{16})"`).FindStringSubmatch(page)
		if tag == nil {
			t.Fatalf("%s has no tag", f.Key)
		}
		stale = append(stale, f.Key, f.Value, "was:"+f.Key, tag[1])
	}
	s.settings("save", "", "name", "By the first", "mail.code.subject", "Code {code}")
	if a := s.settings("save", "", append(stale, "help", "By the second")...); a.Status != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	if s.Server.Site.Name() != "By the first" || s.Server.Site.Value("mail.code.subject") != "Code {code}" ||
		s.Server.Site.Value("help") != "By the second" {
		t.Errorf("%q %q %q", s.Server.Site.Name(), s.Server.Site.Value("mail.code.subject"), s.Server.Site.Value("help"))
	}
}

// What the configuration sets goes before the database, and is shown with where it is set.
func TestTheConfigurationGoesFirst(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) {
		c.Site = map[string]branding.Given{"name": {Value: "Fixed Name", From: "blossomtune.toml, line 12"}}
	})
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error { return tx.PutSetting(t.Context(), "site.name", "Stored Name") })
	if err == nil {
		err = s.Server.Site.Load(t.Context())
	}
	if err != nil || s.Server.Site.Name() != "Fixed Name" {
		t.Fatal(s.Server.Site.Name(), err)
	}
	if page := s.Get("admin", "/admin/settings").Body; !strings.Contains(page, "Set by blossomtune.toml, line 12.") ||
		!strings.Contains(page, `value="Fixed Name" readonly`) {
		t.Error("the page does not say where the name is set")
	}
	if a := s.settings("save", "", "name", "Other", "help", "Saved"); a.Status != http.StatusSeeOther ||
		s.Server.Site.Name() != "Fixed Name" || s.Server.Site.Value("help") != "Saved" {
		t.Errorf("saving the rest: %d", a.Status)
	}
	a := s.apiSettings(`{"values":{"name":"Other"}}`)
	if a.Status != http.StatusConflict || !strings.Contains(a.Body, "blossomtune.toml, line 12") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func (s *site) apiSettings(body string) answer {
	return s.Send("admin", http.MethodPut, "/api/v1/settings", nil, func(r *http.Request) {
		r.Body, r.ContentLength = servertest.Body(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
}

func TestSettingsOverTheAPI(t *testing.T) {
	s := newSite(t)
	if a := s.apiSettings(`{"values":{"name":"By API","colour.light":"#FFFFFF"}}`); a.Status != http.StatusUnprocessableEntity ||
		s.Server.Site.Name() != "BlossomTune" {
		t.Errorf("half was taken: %d, %s", a.Status, s.Server.Site.Name())
	}
	if a := s.apiSettings(`{"values":{"name":"By API"}}`); a.Status != http.StatusOK || s.Server.Site.Name() != "By API" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var all []struct {
		Key, Value, Default string
		Set                 bool
	}
	if err := json.Unmarshal([]byte(s.Get("admin", "/api/v1/settings").Body), &all); err != nil || len(all) < 20 ||
		fmt.Sprint(all[0]) != "{name By API BlossomTune true}" {
		t.Errorf("%v %v", all, err)
	}
	if a := s.apiSettings(`{"reset":["name"]}`); a.Status != http.StatusOK || s.Server.Site.Name() != "BlossomTune" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.apiSettings(`{"reset":["nothing"]}`); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a key that is none: %d", a.Status)
	}
}
