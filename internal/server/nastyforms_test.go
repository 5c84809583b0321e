package server

import (
	"encoding/json"
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

	"golang.org/x/net/html"
)

// form is one form of a page with the values that it is sent with.
type form struct {
	action string
	values url.Values
}

// formsOf reads the POST forms of a page.
func formsOf(t testing.TB, page, address string) (out []form) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	attr := func(n *html.Node, name string) string {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	var walk func(n *html.Node, in *form)
	walk = func(n *html.Node, in *form) {
		switch {
		case n.Type == html.ElementNode && n.Data == "form" && strings.EqualFold(attr(n, "method"), "post"):
			action := attr(n, "action")
			if action == "" {
				action = address
			}
			out = append(out, form{action: action, values: url.Values{}})
			in = &out[len(out)-1]
		case n.Type == html.ElementNode && in != nil && attr(n, "name") != "":
			value := attr(n, "value")
			if n.Data == "select" || n.Data == "textarea" || value == "" {
				value = "x"
			}
			in.values.Set(attr(n, "name"), value)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(root, nil)
	return out
}

// fieldNames are all names by which a page reads what it is sent.
func fieldNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../web/*.go")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files: %v", len(files), err)
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
	nastySites(t, func(t *testing.T, s *site, hash string) {
		var all []attempt
		secret := sharedSecret(s)
		for _, pattern := range web.Patterns() {
			if pattern != "POST /signout" { // it would end the session that the next ones need
				all = append(all, pageAttempts(pattern, hash, secret, names)...)
			}
		}
		seen := map[string]bool{} // forms, by address and fields
		for _, path := range []string{"/join/fed", "/signin", "/verify?ref=ASKER", "/me/fed", "/me/account", "/f", "/f/fed", "/f/fed/requests", "/f/fed/invites", "/f/fed/nodes", "/f/fed/launch?app=" + hash, "/f/fed/runs/r-1", "/f/fed/settings", "/apps", "/admin/people", "/admin/settings", "/admin/mail", "/admin/audit", "/device"} {
			for _, kind := range []string{"admin", "participant"} {
				page := s.get(kind, path)
				for _, f := range formsOf(t, page.body, path) {
					if f.action == "/signout" {
						continue
					}
					key := f.action + strings.Join(slices.Sorted(maps.Keys(f.values)), " ")
					if seen[key] {
						continue
					}
					seen[key] = true
					for name := range f.values {
						for label, text := range nastyTexts {
							if slices.Contains(sameToAForm, label) || len(f.values) > 20 && !slices.Contains([]string{"NUL", "letters to split", "long", "right to left"}, label) {
								continue // the settings of the site: every field is a text
							}
							values := url.Values{}
							for k, v := range f.values {
								values[k] = v
							}
							values.Set(name, text)
							all = append(all, attempt{name + " " + label, http.MethodPost, f.action, values.Encode(), formType, nil})
						}
					}
				}
			}
		}
		statuses := map[int]int{}
		for i, a := range all {
			statuses[s.attempt(i, a)]++
		}
		t.Logf("%d requests, %d forms: %v", len(all), len(seen), statuses)
		if len(seen) < 20 || len(all) < 3000 || statuses[http.StatusOK] < 100 || statuses[http.StatusSeeOther] < 100 {
			t.Errorf("%d requests of %d forms with the answers %v", len(all), len(seen), statuses)
		}
	})
}

// sharedSecret makes a link to the run.
func sharedSecret(s *site) string {
	a := s.send("admin", http.MethodPost, "/api/v1/runs/r-1/shares", nil, func(r *http.Request) {
		r.Body, r.ContentLength = readCloser(`{"days":1}`), 10
		r.Header.Set("Content-Type", "application/json")
	})
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &link); err != nil || !strings.Contains(link.URL, "/share/") {
		s.t.Fatalf("sharing: %d %s %v", a.status, a.body, err)
	}
	return link.URL[strings.LastIndex(link.URL, "/")+1:]
}

// pageAttempts are a route with nasty values in each part of its path, and in all fields at once.
func pageAttempts(pattern, hash, secret string, names []string) (out []attempt) {
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
	for label, text := range nastyTexts {
		if slices.Contains(sameToAForm, label) {
			continue
		}
		for part := range parts {
			if strings.Contains(path, part) && part != "{$}" && text != "" && !slices.Contains([]string{"surrogate", "half a letter", "lines", "quotes", "script", "time", "inf", "nan", "huge number"}, label) {
				out = append(out, attempt{part + " " + label, method, fill(part, text[:min(len(text), 2000)]), "", formType, nil})
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
			out = append(out, attempt{"all fields " + label, method, fill("", ""), fields(len(text)), formType, nil}, attempt{"all fields, short, " + label, method, fill("", ""), fields(200), formType, nil})
			continue
		}
		out = append(out, attempt{"all of the query " + label, method, fill("", "") + "?" + fields(40), "", "", nil})
		if !slices.Contains([]string{"int64 and one"}, label) || strings.HasSuffix(path, "/events") {
			continue // one at a time only what the check at the door lets through, and a page would read as a number, a time or a text
		}
		for _, name := range names {
			out = append(out, attempt{name + " " + label, method, fill("", "") + "?" + url.Values{name: {text[:min(len(text), 2000)]}}.Encode(), "", "", nil})
		}
	}
	return out
}
