package web

import (
	"bytes"
	"context"
	"sync"
	"time"

	"blossomtune/internal/safely"
)

// drawn is a region as it is sent.
type drawn struct{ id, html string }

// looked is what a page's stream shows at one moment.
type looked struct {
	regions []drawn
	signals []signal
}

// nowOn reads and draws what a stream shows. Streams that say they show the same share the work.
func (s *server) nowOn(ctx context.Context, v *visit, live view) (looked, error) {
	if live.share == "" {
		return s.draw(ctx, v, live)
	}
	return s.looks.do(ctx, live.share, func(ctx context.Context) (out looked, err error) { // in a goroutine of its own, whose panic would end the server
		err = safely.Do(s.Log, "drawing a live page", func() (err error) { out, err = s.draw(ctx, v, live); return err })
		return out, err
	})
}

func (s *server) draw(ctx context.Context, v *visit, live view) (looked, error) {
	regions, signals, err := live.look(ctx, v)
	out := looked{signals: signals}
	for _, rg := range regions {
		if err != nil {
			break
		}
		var b bytes.Buffer
		err = rg.body.Render(s.drawContext(ctx), &b)
		out.regions = append(out.regions, drawn{rg.id, b.String()})
	}
	return out, err
}

// lookLimit bounds one shared look; those who wait for it do not end it when they leave.
const lookLimit = 20 * time.Second

// sharedLooks lets many streams that are woken at once look once. Nobody gets what was read before they asked: who comes while a look
// is under way shares the next one.
type sharedLooks struct {
	mu   sync.Mutex
	keys map[string]*lookQueue
}

type lookQueue struct{ running, next *sharedLook }

type sharedLook struct {
	done chan struct{}
	what looked
	err  error
}

func (l *sharedLooks) do(ctx context.Context, key string, look func(context.Context) (looked, error)) (looked, error) {
	call := l.join(key, look)
	select {
	case <-call.done:
		return call.what, call.err
	case <-ctx.Done():
		return looked{}, ctx.Err()
	}
}

func (l *sharedLooks) join(key string, look func(context.Context) (looked, error)) *sharedLook {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[string]*lookQueue{}
	}
	q := l.keys[key]
	switch {
	case q == nil:
		call := &sharedLook{done: make(chan struct{})}
		l.keys[key] = &lookQueue{running: call}
		go l.run(key, call, look)
		return call
	case q.next == nil:
		q.next = &sharedLook{done: make(chan struct{})}
		go func(before, call *sharedLook) {
			<-before.done
			l.run(key, call, look)
		}(q.running, q.next)
	}
	return q.next
}

func (l *sharedLooks) run(key string, call *sharedLook, look func(context.Context) (looked, error)) {
	l.mu.Lock()
	q := l.keys[key] // stays while a call of it runs or waits
	if q.next == call {
		q.running, q.next = call, nil
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	call.what, call.err = look(ctx)
	l.mu.Lock()
	if q.running == call && q.next == nil {
		delete(l.keys, key)
	}
	l.mu.Unlock()
	close(call.done)
}
