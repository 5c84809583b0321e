package live

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"time"

	"blossomtune/internal/safely"
	"blossomtune/internal/web/visit"

	"github.com/a-h/templ"
)

// drawn is a region as it is sent.
type drawn struct {
	id, html string
	bare     string  // of a region with rows: what it is without them
	rows     []drawn // of it
}

// looked is what a page's stream shows at one moment.
type looked struct {
	regions []drawn
	signals []Signal
}

// nowOn reads and draws what a stream shows. Streams that say they show the same share the work.
func (s *Streams) nowOn(ctx context.Context, v *visit.Visit, live View) (looked, error) {
	if live.Share == "" {
		return s.draw(ctx, v, live)
	}
	// A stream that waits for its look notices only afterwards that its visitor may no longer see it: so it never waits longer than a second.
	gap := min(cmp.Or(live.Gap, renderGap), time.Second)
	return s.looks.do(ctx, live.Share, gap, func(ctx context.Context) (out looked,
		err error) { // in a goroutine of its own, whose panic would end the server
		err = safely.Do(s.Log, "drawing a live page", func() (err error) { out, err = s.draw(ctx, v, live); return err })
		return out, err
	})
}

func (s *Streams) draw(ctx context.Context, v *visit.Visit, live View) (looked, error) {
	regions, signals, err := live.Look(ctx, v)
	out := looked{signals: signals}
	for _, rg := range regions {
		if err != nil {
			break
		}
		var d drawn
		d, err = s.drawRegion(ctx, rg)
		out.regions = append(out.regions, d)
	}
	return out, err
}

func (s *Streams) drawRegion(ctx context.Context, rg Region) (d drawn, err error) {
	d.id = rg.ID
	if d.html, err = s.drawPart(ctx, rg.Body); err != nil {
		return d, err
	}
	table, is := rg.Body.(Rowed)
	if !is {
		return d, nil
	}
	if d.bare, err = s.drawPart(ctx, table.Bare); err != nil {
		return d, err
	}
	for _, row := range table.Rows {
		html, err := s.drawPart(ctx, row.Body)
		if err != nil {
			return d, err
		}
		d.rows = append(d.rows, drawn{id: row.ID, html: html})
	}
	return d, nil
}

func (s *Streams) drawPart(ctx context.Context, body templ.Component) (string, error) {
	var b bytes.Buffer
	err := body.Render(s.DrawContext(ctx), &b)
	return b.String(), err
}

// lookLimit bounds one shared look; those who wait for it do not end it when they leave.
const lookLimit = 20 * time.Second

// sharedLooks lets many streams look once. Nobody gets what was read before they asked: those who come while a look is under way share
// the next one. However many streams there are, the looks of one key begin a gap apart, so their cost is bounded.
type sharedLooks struct {
	mu   sync.Mutex
	next map[string]*sharedLook // by key, while a goroutine serves it; nil: nobody waits
}

type sharedLook struct {
	look func(context.Context) (looked, error)
	done chan struct{}
	what looked
	err  error
}

func (l *sharedLooks) do(ctx context.Context, key string, gap time.Duration, look func(context.Context) (looked, error)) (looked, error) {
	call := l.join(key, gap, look)
	select {
	case <-call.done:
		return call.what, call.err
	case <-ctx.Done():
		return looked{}, ctx.Err()
	}
}

func (l *sharedLooks) join(key string, gap time.Duration, look func(context.Context) (looked, error)) *sharedLook {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = map[string]*sharedLook{}
	}
	call, served := l.next[key]
	if call == nil {
		call = &sharedLook{look: look, done: make(chan struct{})}
		l.next[key] = call
	}
	if !served {
		go l.serve(key, gap)
	}
	return call
}

// serve looks for those who wait, until nobody has come for a gap.
func (l *sharedLooks) serve(key string, gap time.Duration) {
	for {
		l.mu.Lock()
		call := l.next[key]
		if call == nil {
			delete(l.next, key)
			l.mu.Unlock()
			return
		}
		l.next[key] = nil
		l.mu.Unlock()
		pause := time.NewTimer(gap)
		call.run()
		<-pause.C
	}
}

func (c *sharedLook) run() {
	defer close(c.done)
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	c.what, c.err = c.look(ctx)
}
