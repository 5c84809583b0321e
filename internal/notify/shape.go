package notify

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// body returns what a webhook is sent, and its content type. It names participants by their partition alone.
func (s *Service) body(shape domain.WebhookShape, v item) (text []byte, contentType string, err error) {
	paragraphs := append([]string{headline(v) + "."}, s.told(v, false)...)
	plain := strings.Join(append(paragraphs, s.link(v)), "\n\n")
	switch shape {
	case domain.WebhookText:
		return []byte(plain + "\n"), "text/plain; charset=utf-8", nil
	case domain.WebhookSlack:
		escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
		told := escape.Replace(strings.Join(paragraphs[1:], "\n"))
		text, err = json.Marshal(map[string]any{"text": strings.TrimSpace("*" + escape.Replace(paragraphs[0]) + "*\n" + told + "\n<" +
			s.link(v) + "|Open>")})
	case domain.WebhookMatrix:
		var h strings.Builder
		fmt.Fprintf(&h, "<p><strong>%s</strong></p>", html.EscapeString(paragraphs[0]))
		for _, p := range paragraphs[1:] {
			fmt.Fprintf(&h, "<p>%s</p>", strings.ReplaceAll(html.EscapeString(p), "\n", "<br>"))
		}
		fmt.Fprintf(&h, `<p><a href="%s">Open</a></p>`, html.EscapeString(s.link(v)))
		text, err = json.Marshal(map[string]any{"msgtype": "m.notice", "body": plain, "format": "org.matrix.custom.html",
			"formatted_body": h.String()})
	default:
		text, err = json.Marshal(s.event(v))
	}
	return text, "application/json", err
}

// Event is the body of a webhook of the shape json.
type Event struct {
	ID         int64               `json:"id"` // of the event: the same in each delivery of it
	Kind       domain.NoticeKind   `json:"kind"`
	At         time.Time           `json:"at"`
	Summary    string              `json:"summary"`
	Link       string              `json:"link"`
	Server     string              `json:"server"`
	Federation *EventFederation    `json:"federation,omitempty"`
	Run        *domain.NoticeRun   `json:"run,omitempty"`
	Count      int                 `json:"count,omitempty"` // of requests, people or SuperNodes
	Nodes      []domain.NoticeNode `json:"nodes,omitempty"` // the first of those that have a partition
	Text       string              `json:"text,omitempty"`  // of tests and of the server
}

// EventFederation names the federation that an event is about.
type EventFederation struct {
	Slug string `json:"slug"`
	Name string `json:"name"`
}

func (s *Service) event(v item) Event {
	n := v.Notice
	e := Event{ID: n.ID, Kind: n.Kind, At: n.At.UTC(), Summary: headline(v), Link: s.link(v), Server: s.PublicURL(), Count: n.Facts.People,
		Text: n.Facts.Text}
	if v.fed.ID != 0 {
		e.Federation = &EventFederation{v.fed.Slug, v.fed.Name}
	}
	for _, p := range n.Facts.Nodes {
		if p.Partition >= 0 {
			e.Nodes = append(e.Nodes, domain.NoticeNode{Partition: p.Partition})
		}
	}
	if n.Facts.Run != nil {
		run := *n.Facts.Run
		run.Who = nil
		for _, p := range n.Facts.Run.Who {
			run.Who = append(run.Who, domain.NoticeNode{Partition: p.Partition})
		}
		run.Cause, run.Remedy = domain.Cut(oneLine(run.Cause), maxText), domain.Cut(oneLine(run.Remedy), maxText)
		e.Run = &run
	}
	return e
}
