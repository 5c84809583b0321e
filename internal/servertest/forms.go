package servertest

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Form is one form of a page with the values that it is sent with.
type Form struct {
	Action string
	Values url.Values
}

// FormsOf reads the POST forms of a page.
func FormsOf(t testing.TB, page, address string) (out []Form) {
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
	var walk func(n *html.Node, in *Form)
	walk = func(n *html.Node, in *Form) {
		switch {
		case n.Type == html.ElementNode && n.Data == "form" && strings.EqualFold(attr(n, "method"), "post"):
			action := attr(n, "action")
			if action == "" {
				action = address
			}
			out = append(out, Form{Action: action, Values: url.Values{}})
			in = &out[len(out)-1]
		case n.Type == html.ElementNode && in != nil && attr(n, "name") != "":
			value := attr(n, "value")
			if n.Data == "select" || n.Data == "textarea" || value == "" {
				value = "x"
			}
			in.Values.Set(attr(n, "name"), value)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(root, nil)
	return out
}
