package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/visit"

	"github.com/a-h/templ"
)

// WriteLimit is how long a browser may read nothing before its stream is given up.
const WriteLimit = 20 * time.Second

// Region is a part of a page with an id, rendered anew when something of it changed. Its root element has the id.
type Region struct {
	ID   string
	Body templ.Component
}

// Rowed is the body of a region whose rows are sent on their own while nothing else of it changes.
type Rowed struct {
	templ.Component
	Bare templ.Component // the same with empty rows
	Rows []Region
}

// Signal is a named event for the page's script.
type Signal struct {
	Name string
	Data any
}

// conn is one stream's connection, and what was sent over it.
type conn struct {
	s    *Streams
	w    http.ResponseWriter
	rc   *http.ResponseController
	sent map[string]string
	rows map[string]map[string]string // of regions with rows, by their ids
}

func newConn(s *Streams, w http.ResponseWriter) *conn {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	return &conn{s: s, w: w, rc: http.NewResponseController(w), sent: map[string]string{}, rows: map[string]map[string]string{}}
}

// open sends the head of the answer, so that the browser knows the stream is there although its first content may take a moment.
func (c *conn) open() error {
	_ = c.rc.SetWriteDeadline(time.Now().Add(WriteLimit))
	if _, err := c.w.Write([]byte(":\n\n")); err != nil { // a comment
		return err
	}
	return c.rc.Flush()
}

// release takes the write limit off again: the connection may serve more.
func (c *conn) release() { _ = c.rc.SetWriteDeadline(time.Time{}) }

// show sends the regions and signals that differ from what was sent last.
func (c *conn) show(ctx context.Context, v *visit.Visit, live View) error {
	now, err := c.s.nowOn(ctx, v, live)
	if err != nil {
		if ctx.Err() == nil && domain.CodeOf(err) == domain.Internal {
			c.s.Log.Error("rendering a live page", "err", err)
		}
		return ctx.Err() // the page stays as it is; the next look may work
	}
	var html bytes.Buffer
	for _, rg := range now.regions {
		c.changed(rg, &html)
	}
	if html.Len() > 0 {
		if err := c.write("", html.String()); err != nil {
			return err
		}
	}
	for _, sg := range now.signals {
		if err := c.signalOnce(sg); err != nil {
			return err
		}
	}
	return nil
}

// changed writes what of a region differs from what was sent last: of one with rows the changed rows, unless more has changed.
func (c *conn) changed(rg drawn, html *bytes.Buffer) {
	partial := func(id, text string) {
		fmt.Fprintf(html, `<hx-partial hx-target="#%s" hx-swap="outerMorph">%s</hx-partial>`, id, text)
	}
	if rg.bare == "" {
		if c.sent[rg.id] != rg.html {
			c.sent[rg.id] = rg.html
			partial(rg.id, rg.html)
		}
		return
	}
	known := c.rows[rg.id]
	if c.sent[rg.id] != rg.bare {
		c.sent[rg.id] = rg.bare
		partial(rg.id, rg.html)
		known = nil
	}
	now := make(map[string]string, len(rg.rows))
	for _, row := range rg.rows {
		now[row.id] = row.html
		if known != nil && known[row.id] != row.html {
			partial(row.id, row.html)
		}
	}
	c.rows[rg.id] = now
}

// signalOnce sends a signal unless the last one of its name said the same.
func (c *conn) signalOnce(sg Signal) error {
	text, err := json.Marshal(sg.Data)
	if err != nil || c.sent["signal "+sg.Name] == string(text) {
		return err
	}
	c.sent["signal "+sg.Name] = string(text)
	return c.write(sg.Name, string(text))
}

func (c *conn) signal(sg Signal) error {
	text, err := json.Marshal(sg.Data)
	if err != nil {
		return err
	}
	return c.write(sg.Name, string(text))
}

func (c *conn) write(name, data string) error {
	var b strings.Builder
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(data, "\r", ""), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	_ = c.rc.SetWriteDeadline(time.Now().Add(WriteLimit))
	if _, err := c.w.Write([]byte(b.String())); err != nil {
		return err
	}
	return c.rc.Flush()
}
