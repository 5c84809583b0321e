// Package manual turns the Markdown files of docs/ into the pages that the server shows at /docs. It knows no server: the pages are part of
// the program and the same for everyone.
package manual

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"blossomtune/docs"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Prefix is the address below which the server shows the pages.
const Prefix = "/docs/"

// Page is a page of the manual.
type Page struct {
	Name     string // of its file, without .md
	Title    string // its first heading, which is not part of the body
	Body     string // safe HTML
	Headings []Heading
}

// Heading is a second-level heading of a page.
type Heading struct{ ID, Text string }

// Section groups pages by who reads them.
type Section struct {
	Title string
	Pages []Page
}

// order lists the pages of each section. Every file of docs/ is in it; a test checks this.
var order = []struct {
	title string
	names []string
}{
	{"Participants", []string{"participants", "joining"}},
	{"Managers", []string{"managing", "notifications", "apps", "writing-apps", "metrics", "receipts", "api"}},
	{"Operators", []string{"install", "configuration", "settings", "commands", "reverse-proxies", "postgresql", "monitoring", "upgrading",
		"backup",
		"access", "security", "troubleshooting", "performance"}},
	{"Background", []string{"faq", "changelog", "glossary", "comparison", "architecture", "lifecycle", "invariants"}},
}

// Sections returns all pages. The result is shared: do not change it.
func Sections() []Section { return sections() }

var sections = sync.OnceValue(func() []Section {
	out, err := load(docs.Files)
	if err != nil {
		panic(err) // the files are part of the program, and a test reads them all
	}
	return out
})

// Find returns the page of this name, or false.
func Find(name string) (Page, bool) {
	for _, s := range Sections() {
		for _, p := range s.Pages {
			if p.Name == name {
				return p, true
			}
		}
	}
	return Page{}, false
}

func load(files fs.FS) ([]Section, error) {
	var out []Section
	for _, o := range order {
		s := Section{Title: o.title}
		for _, name := range o.names {
			source, err := fs.ReadFile(files, name+".md")
			if err != nil {
				return nil, fmt.Errorf("reading a page of the manual: %w", err)
			}
			p, err := render(name, source)
			if err != nil {
				return nil, fmt.Errorf("rendering %s.md: %w", name, err)
			}
			s.Pages = append(s.Pages, p)
		}
		out = append(out, s)
	}
	return out, nil
}

// render turns one file into a page. HTML in the file is left out.
func render(name string, source []byte) (Page, error) {
	md := goldmark.New(goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(links{}, 100))))
	doc := md.Parser().Parse(text.NewReader(source))
	p := Page{Name: name}
	var title ast.Node
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		switch {
		case h.Level == 1 && title == nil:
			title, p.Title = n, plain(n, source)
		case h.Level == 2:
			id, _ := h.AttributeString("id")
			idBytes, _ := id.([]byte)
			p.Headings = append(p.Headings, Heading{ID: string(idBytes), Text: plain(n, source)})
		}
	}
	if title == nil {
		return Page{}, fmt.Errorf("it has no title")
	}
	doc.RemoveChild(doc, title)
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, source, doc); err != nil {
		return Page{}, err
	}
	p.Body = b.String()
	return p, nil
}

// plain returns the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
			continue
		}
		b.WriteString(plain(c, source))
	}
	return b.String()
}

// links lets links between files lead to the pages.
type links struct{}

func (links) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if l, ok := n.(*ast.Link); ok && entering {
			l.Destination = []byte(address(string(l.Destination)))
		}
		return ast.WalkContinue, nil
	})
}

func address(to string) string {
	file, anchor, _ := strings.Cut(to, "#")
	name, ok := strings.CutSuffix(file, ".md")
	if !ok || strings.Contains(name, "/") {
		return to
	}
	if anchor != "" {
		anchor = "#" + anchor
	}
	return Prefix + name + anchor
}
