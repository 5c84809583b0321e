package manual

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"blossomtune/docs"
)

// Every file of docs/ is a page, and every link between pages leads to a page and a heading that exist.
func TestThePagesAreWhole(t *testing.T) {
	files, err := fs.Glob(docs.Files, "*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if _, ok := Find(strings.TrimSuffix(file, ".md")); !ok {
			t.Errorf("docs/%s is in no section: add it to order", file)
		}
	}
	link := regexp.MustCompile(`href="([^"]*)"`)
	for _, s := range Sections() {
		for _, p := range s.Pages {
			if strings.Contains(p.Body, "raw HTML omitted") {
				t.Errorf("%s.md contains HTML, which is not shown", p.Name)
			}
			for _, m := range link.FindAllStringSubmatch(p.Body, -1) {
				name, anchor, _ := strings.Cut(strings.TrimPrefix(m[1], Prefix), "#")
				to, ok := Find(name)
				switch {
				case strings.HasPrefix(m[1], "https://"), strings.HasPrefix(m[1], "#"):
				case !strings.HasPrefix(m[1], Prefix) || !ok:
					t.Errorf("%s.md links to %q, which is not a page of the manual", p.Name, m[1])
				case anchor != "" && !strings.Contains(to.Body, `id="`+anchor+`"`):
					t.Errorf("%s.md links to %q, a heading that does not exist", p.Name, m[1])
				}
			}
		}
	}
}

func TestRendering(t *testing.T) {
	p, err := render("x", []byte("# The `title`\n\nSee [joining](joining.md#rules), [a site](https://example.org/a.md).\n\n## One *two*\n\n"+
		"<script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n    a <b>\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Title != "The title" || len(p.Headings) != 1 || p.Headings[0] != (Heading{"one-two", "One two"}) {
		t.Errorf("%q, %+v", p.Title, p.Headings)
	}
	for _, want := range []string{`href="/docs/joining#rules"`, `href="https://example.org/a.md"`, `<h2 id="one-two">`, "<td>1</td>",
		"a &lt;b&gt;"} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the page has no %s:\n%s", want, p.Body)
		}
	}
	for _, not := range []string{"<script", "The title", "<h1"} {
		if strings.Contains(p.Body, not) {
			t.Errorf("the page has %s:\n%s", not, p.Body)
		}
	}
	if _, err := render("x", []byte("no title\n")); err == nil {
		t.Error("a file without a title is taken")
	}
}
