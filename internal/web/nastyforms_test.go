package web_test

import (
	"blossomtune/internal/servertest"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/web"
)

// fieldNames are all names by which a page reads what it is sent.
func fieldNames(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go", "*/*/*.go"} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	if len(files) < 150 {
		t.Fatalf("%d files", len(files))
	}
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:\.Get|\.Has|PostFormValue|text|number|whole)\("([a-z_]+)"\)`).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`(?:PostForm|q|query|v|form)\["([a-z_]+)"\]`).FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	var out []string
	for n := range names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// sameToAForm are texts that a form cannot tell from another one of the table.
var sameToAForm = []string{"surrogate", "half a letter", "quotes", "script", "path", "percent", "blank", "wide letters"}

const formType = "application/x-www-form-urlencoded"

// No value may make a page or a form answer 5xx or drop the connection, on either database.
func TestNoValueBreaksAPage(t *testing.T) {
	names := fieldNames(t)
	if len(names) < 40 {
		t.Fatalf("only %d field names were found: %v", len(names), names)
	}
	servertest.NastySites(t, func(t *testing.T, s *servertest.Site, hash string) {
		var all []servertest.Attempt
		secret := servertest.ShareSecret(s)
		for _, pattern := range web.Patterns() {
			if pattern != "POST /signout" { // it would end the session that the next ones need
				all = append(all, pageAttempts(pattern, hash, secret, names)...)
			}
		}
		seen := map[string]bool{} // forms, by address and fields
		for _, path := range []string{"/join/fed", "/signin", "/verify?ref=ASKER", "/me/fed", "/me/account", "/f", "/f/fed", "/f/fed/requests", "/f/fed/invites", "/f/fed/nodes", "/f/fed/launch?app=" + hash, "/f/fed/runs/r-1", "/f/fed/settings", "/apps", "/admin/people", "/admin/settings", "/admin/mail", "/admin/audit", "/device"} {
			for _, kind := range []string{"admin", "participant"} {
				page := s.Get(kind, path)
				for _, f := range servertest.FormsOf(t, page.Body, path) {
					if f.Action == "/signout" {
						continue
					}
					key := f.Action + strings.Join(slices.Sorted(maps.Keys(f.Values)), " ")
					if seen[key] {
						continue
					}
					seen[key] = true
					for name := range f.Values {
						for label, text := range servertest.NastyTexts {
							if slices.Contains(sameToAForm, label) || len(f.Values) > 20 &&
								!slices.Contains([]string{"NUL", "letters to split", "long", "right to left"}, label) {
								continue // the settings of the site: every field is a text
							}
							values := url.Values{}
							for k, v := range f.Values {
								values[k] = v
							}
							values.Set(name, text)
							all = append(all, attemptOf(name+" "+label, http.MethodPost, f.Action, values.Encode(), formType))
						}
					}
				}
			}
		}
		statuses := map[int]int{}
		for i, a := range all {
			statuses[s.Attempt(i, a)]++
		}
		t.Logf("%d requests, %d forms: %v", len(all), len(seen), statuses)
		if len(seen) < 20 || len(all) < 3000 || statuses[http.StatusOK] < 100 || statuses[http.StatusSeeOther] < 100 {
			t.Errorf("%d requests of %d forms with the answers %v", len(all), len(seen), statuses)
		}
	})
}

func attemptOf(what, method, path, body, contentType string) servertest.Attempt {
	return servertest.Attempt{What: what, Method: method, Path: path, Body: body, ContentType: contentType}
}

// pageAttempts are a route with nasty values in each part of its path, and in all fields at once.
func pageAttempts(pattern, hash, secret string, names []string) (out []servertest.Attempt) {
	method, path, _ := strings.Cut(pattern, " ")
	parts := map[string]string{"{$}": "", "{fed}": "fed", "{run}": "r-1", "{secret}": secret, "{provider}": "nobody", "{id}": "1", "{action}": "stop", "{part}": "keeper", "{kind}": "page", "{path...}": "model.npz", "{publisher}": "someone", "{name}": "infinite", "{hash}": hash}
	fill := func(nasty, text string) string {
		p := path
		for part, with := range parts {
			if part == nasty {
				with = text
			}
			p = strings.ReplaceAll(p, part, url.PathEscape(with))
		}
		return p
	}
	for label, text := range servertest.NastyTexts {
		if slices.Contains(sameToAForm, label) {
			continue
		}
		for part := range parts {
			if strings.Contains(path, part) && part != "{$}" && text != "" && !slices.Contains([]string{"surrogate", "half a letter", "lines", "quotes", "script", "time", "inf", "nan", "huge number"}, label) {
				out = append(out, attemptOf(part+" "+label, method, fill(part, text[:min(len(text), 2000)]), "", formType))
			}
		}
		fields := func(size int) string {
			v := url.Values{}
			for _, name := range names {
				v.Set(name, text[:min(len(text), size)])
			}
			return v.Encode()
		}
		if method == http.MethodPost {
			out = append(out, attemptOf("all fields "+label, method, fill("", ""), fields(len(text)), formType),
				attemptOf("all fields, short, "+label, method, fill("", ""), fields(200), formType))
			continue
		}
		out = append(out, attemptOf("all of the query "+label, method, fill("", "")+"?"+fields(40), "", ""))
		if !slices.Contains([]string{"int64 and one"}, label) || strings.HasSuffix(path, "/events") {
			continue // one at a time only what the check at the door lets through, and a page would read as a number, a time or a text
		}
		for _, name := range names {
			out = append(out, attemptOf(name+" "+label, method, fill("", "")+"?"+url.Values{name: {text[:min(len(text), 2000)]}}.Encode(), "", ""))
		}
	}
	return out
}
