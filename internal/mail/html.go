package mail

import (
	"html"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// htmlOf is a mail's text as HTML: the same words, with what stands apart in the text (a code, a link) made large or a button.
// It loads nothing from anywhere. brand is the colour of buttons, under white.
func htmlOf(m domain.Mail, brand string) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8">` +
		`<body style="margin:0;padding:24px;font:16px/24px system-ui,sans-serif;color:#1E1B2E;background:#ffffff">` +
		`<div style="max-width:560px;margin:0 auto">`)
	for block := range strings.SplitSeq(strings.TrimSpace(m.Text), "\n\n") {
		text := strings.TrimSpace(block)
		switch {
		case text == "":
		case strings.HasPrefix(block, "    ") && isLink(text):
			link := html.EscapeString(text)
			b.WriteString(`<p style="margin:16px 0"><a href="` + link +
				`" style="display:inline-block;padding:10px 20px;border-radius:6px;background:` + brand +
				`;color:#ffffff;text-decoration:none">Open</a>` +
				`<br><small style="color:#5A576B;word-break:break-all">` + link + `</small></p>`)
		case strings.HasPrefix(block, "    "):
			b.WriteString(`<p style="margin:16px 0;font:600 26px/32px ui-monospace,monospace;letter-spacing:2px">` + html.EscapeString(text) +
				`</p>`)
		default:
			b.WriteString(`<p style="margin:16px 0">` + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + `</p>`)
		}
	}
	b.WriteString(`</div></body></html>`)
	return b.String()
}

// brand is the colour of the buttons in mails, which are always light.
func (s *Service) brand() string { return s.Site.Value(site.KeyLight) }

func isLink(text string) bool {
	return (strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")) && !strings.ContainsAny(text, " \n")
}
