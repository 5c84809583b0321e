package live

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/visit"
)

const (
	beatEvery  = 5 * time.Second
	renderGap  = 150 * time.Millisecond // at most seven renders a second and stream
	maxStreams = 100                    // at once from one address
)

// View is what a stream shows: look is called after every event of its topics, every poll and every beat, and tells what is now.
// quick, where there is one, turns an event into a signal that goes out at once; rest says whether look is to be called for it too.
type View struct {
	Topics []string
	Share  string        // streams of the same share see the same, and look together; "": a look of its own
	Poll   time.Duration // for what changes without an event; 0: only beats
	Gap    time.Duration // between two looks at least; 0: renderGap
	Again  Readmission   // instead of the route's access, and before every look; may be nil
	Look   func(ctx context.Context, v *visit.Visit) ([]Region, []Signal, error)
	Quick  func(ctx context.Context, e events.Event) (sg Signal, rest bool)
}

// Readmission admits a stream's visitor once more; its error ends the stream.
type Readmission func(ctx context.Context) (*visit.Visit, error)

// readmit finds out whether the visitor of a stream may still see it.
func (s *Streams) readmit(r *http.Request, who visit.Access, live View) (*visit.Visit, error) {
	if live.Again != nil {
		return live.Again(r.Context())
	}
	v := &visit.Visit{}
	return v, s.Admit(r, who, v)
}

// TakeSlot counts one more stream of an address; false where it has too many. Who took one gives it back with [Streams.GiveSlot].
func (s *Streams) TakeSlot(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[address] >= maxStreams {
		return false
	}
	s.open[address]++
	return true
}

// GiveSlot gives back what [Streams.TakeSlot] took.
func (s *Streams) GiveSlot(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[address]--; s.open[address] <= 0 {
		delete(s.open, address)
	}
}

// Follow keeps a page live until the browser leaves, the visitor may no longer see it, or the server ends. It begins with the
// whole of what is shown, so whoever comes back after a gap lacks nothing.
func (s *Streams) Follow(w http.ResponseWriter, r *http.Request, who visit.Access, v *visit.Visit, live View) error {
	address := s.ClientAddress(r)
	if !s.TakeSlot(address) {
		return domain.Errorf(domain.Limited,
			"Too many live pages from your address.").Fix("Close some; this page shows what was when it was loaded.")
	}
	defer s.GiveSlot(address)
	sub := s.Events.Subscribe(live.Topics...)
	defer func() { sub.Close() }()
	c := newConn(s, w)
	defer c.release()
	if c.open() != nil {
		return nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	poll := time.NewTicker(cmp.Or(live.Poll, beatEvery))
	defer poll.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	due, shown, gap := true, time.Time{}, cmp.Or(live.Gap, renderGap)
	stillIn := func() bool {
		again, err := s.readmit(r, who, live)
		if err != nil {
			_ = c.signal(Signal{"gone", nil}) // the page loads anew and says why
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
			if !stillIn() || c.signal(Signal{"beat", s.Clock().UTC().Format(time.RFC3339)}) != nil {
				return nil
			}
		case e, open := <-sub.Events():
			rest := true
			if !open { // it fell behind: what follows looks at everything anyway
				sub = s.Events.Subscribe(live.Topics...)
			} else if e.Kind == runs.LinkEnded && live.Again != nil && !stillIn() {
				return nil
			} else if live.Quick != nil {
				var sg Signal
				if sg, rest = live.Quick(r.Context(), e); sg.Name != "" && c.signalOnce(sg) != nil {
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
			if live.Again != nil && !stillIn() || c.show(r.Context(), v, live) != nil {
				return nil
			}
		}
	}
}
