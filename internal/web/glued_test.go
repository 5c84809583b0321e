package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"blossomtune/internal/web"

	"golang.org/x/net/html"
)

// apart are elements that stand apart from what is before and after them, in the text too. All others are part of a line.
var apart = []string{"a", "address", "article", "aside", "blockquote", "body", "br", "button", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "header",
	"hr", "input", "label", "legend", "li", "main", "nav", "ol", "option", "p", "pre", "section", "select", "summary", "svg", "table", "tbody", "td", "textarea", "th", "thead", "tr", "ul", "head", "title", "script", "style", "noscript", "dialog", "output", "progress"}

// glued returns words of a page that run together where one element ends and the next begins, as a screen reader or a copy has them.
func glued(t *testing.T, page string) (out []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var before string // the text since the last element that stands apart
	edge := false     // an element began or ended since
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			last, _ := utf8.DecodeLastRuneInString(before)
			first, _ := utf8.DecodeRuneInString(n.Data)
			if edge && (wordly(last) || strings.ContainsRune(".,;:)", last)) && wordly(first) {
				out = append(out, tail(before, 20)+"|"+n.Data[:min(len(n.Data), 20)])
			}
			if n.Data != "" {
				before, edge = before+n.Data, false
			}
			return
		}
		alone := n.Type == html.ElementNode && slices.Contains(apart, n.Data)
		if alone {
			before = ""
		}
		edge = true
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		edge = true
		if alone {
			before = ""
		}
	}
	walk(root)
	return out
}

func wordly(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func TestNoWordsOfAPageRunTogether(t *testing.T) {
	if got := glued(t, `<p>approved<time>7 min ago</time></p><p>a <b>b</b></p><b>c</b>`); len(got) != 1 || got[0] != "approved|7 min ago" {
		t.Fatalf("the test itself finds %q", got)
	}
	s := newSite(t)
	s.addRun(s.Fed.ID, "r-9", s.failed(0))
	fill := strings.NewReplacer("{$}", "", "{fed}", "fed", "{run}", "r-1", "{publisher}", "p", "{name}", "n", "{hash}", s.Run.AppHash)
	pages := 0
	for _, pattern := range append(web.Patterns(), "GET /f/fed/runs/r-9", "GET /f/fed/requests?state=all", "GET /f/fed/requests?state=approved", "GET /f/fed/launch?from=r-1", "GET /f/fed/compare?runs=r-1,r-9") {
		method, path, _ := strings.Cut(fill.Replace(pattern), " ")
		if method != http.MethodGet || strings.ContainsAny(path, "{") || strings.HasSuffix(path, "/events") {
			continue
		}
		for _, kind := range []string{"stranger", "asker", "participant", "manager", "admin"} {
			a := s.Get(kind, path)
			if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				continue
			}
			pages++
			for _, words := range glued(t, a.Body) {
				t.Errorf("%s as %s: %q", path, kind, words)
			}
		}
	}
	if pages < 40 {
		t.Errorf("only %d pages were read", pages)
	}
}
