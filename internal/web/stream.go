package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
)

const (
	beatEvery  = 5 * time.Second
	renderGap  = 150 * time.Millisecond // at most seven renders a second and stream
	maxStreams = 100                    // at once from one address
)

// view is what a stream shows: look is called after every event of its topics, every poll and every beat, and tells what is now.
// quick, where there is one, turns an event into a signal that goes out at once; rest says whether look is to be called for it too.
type view struct {
	topics []string
	share  string        // streams of the same share see the same, and look together; "": a look of its own
	poll   time.Duration // for what changes without an event; 0: only beats
	gap    time.Duration // between two looks at least; 0: renderGap
	again  readmission   // instead of the route's access, and before every look; may be nil
	look   func(ctx context.Context, v *visit) ([]region, []signal, error)
	quick  func(ctx context.Context, e events.Event) (sg signal, rest bool)
}

// readmission admits a stream's visitor once more; its error ends the stream.
type readmission func(ctx context.Context) (*visit, error)

// readmit finds out whether the visitor of a stream may still see it.
func (s *server) readmit(r *http.Request, who access, live view) (*visit, error) {
	if live.again != nil {
		return live.again(r.Context())
	}
	v := &visit{}
	return v, s.admit(r, who, v)
}

func (s *server) takeSlot(address string) bool {
	s.streamsMu.Lock()
	defer s.streamsMu.Unlock()
	if s.streams[address] >= maxStreams {
		return false
	}
	s.streams[address]++
	return true
}

func (s *server) giveSlot(address string) {
	s.streamsMu.Lock()
	defer s.streamsMu.Unlock()
	if s.streams[address]--; s.streams[address] <= 0 {
		delete(s.streams, address)
	}
}

// follow keeps a page live until the browser leaves, the visitor may no longer see it, or the server ends. It begins with the
// whole of what is shown, so whoever comes back after a gap lacks nothing.
func (s *server) follow(w http.ResponseWriter, r *http.Request, who access, v *visit, live view) error {
	address := s.ClientAddress(r)
	if !s.takeSlot(address) {
		return domain.Errorf(domain.Limited, "Too many live pages from your address.").Fix("Close some; this page shows what was when it was loaded.")
	}
	defer s.giveSlot(address)
	sub, _ := s.Events.Subscribe(live.topics...)
	defer func() { sub.Close() }()
	c := newConn(s, w)
	defer c.release()
	if c.open() != nil {
		return nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	poll := time.NewTicker(cmp.Or(live.poll, beatEvery))
	defer poll.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	due, shown, gap := true, time.Time{}, cmp.Or(live.gap, renderGap)
	stillIn := func() bool {
		again, err := s.readmit(r, who, live)
		if err != nil {
			_ = c.signal(signal{"gone", nil}) // the page loads anew and says why
			return false
		}
		v = again
		return true
	}
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-s.Done:
			return nil
		case <-beat.C:
			if !stillIn() || c.signal(signal{"beat", s.Clock().UTC().Format(time.RFC3339)}) != nil {
				return nil
			}
		case e, open := <-sub.Events():
			rest := true
			if !open { // it fell behind: what follows looks at everything anyway
				sub, _ = s.Events.Subscribe(live.topics...)
			} else if e.Kind == runs.LinkEnded && live.again != nil && !stillIn() {
				return nil
			} else if live.quick != nil {
				var sg signal
				if sg, rest = live.quick(r.Context(), e); sg.name != "" && c.signalOnce(sg) != nil {
					return nil
				}
			}
			if rest && !due { // at once after a quiet while
				due = true
				next.Reset(gap - time.Since(shown))
			}
		case <-poll.C:
			if !due {
				due = true
				next.Reset(0)
			}
		case <-next.C:
			due, shown = false, time.Now()
			if live.again != nil && !stillIn() || c.show(r.Context(), v, live) != nil {
				return nil
			}
		}
	}
}
