// Package events tells whoever watches that something has changed. Events carry no truth of their own: the database has it;
// an event says where to look. They are published after the change is committed.
package events

import (
	"slices"
	"sync"
)

// Event says that something of a topic changed.
type Event struct {
	// "federation:<id>", "requests:<federation id>", "request:<id>", "engine:<federation id>", "run:<id>", "runs:<federation id>", "mail"
	Topic string
	Kind  string // what changed, in the topic's own words
	Data  any    // optional; read-only for all who receive it
}

const queueSize = 256 // events one subscriber may lag behind

// Bus passes events on. The zero value is not usable; see [NewBus].
type Bus struct {
	mu   sync.Mutex
	subs map[string]map[*Subscription]struct{} // by topic
}

// NewBus returns an empty bus.
func NewBus() *Bus { return &Bus{subs: map[string]map[*Subscription]struct{}{}} }

// Publish hands the event to all who watch its topic and returns at once: a subscriber whose queue is full is dropped and
// has to look anew.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs[e.Topic] {
		b.offer(s, e)
	}
}

func (b *Bus) offer(s *Subscription, e Event) {
	select {
	case s.ch <- e:
	default:
		s.lagged = true
		b.drop(s)
	}
}

func (b *Bus) drop(s *Subscription) {
	if s.ended {
		return
	}
	s.ended = true
	for _, topic := range s.topics {
		if delete(b.subs[topic], s); len(b.subs[topic]) == 0 {
			delete(b.subs, topic)
		}
	}
	close(s.ch)
}

// Subscription receives the events of some topics.
type Subscription struct {
	bus    *Bus
	topics []string
	ch     chan Event
	lagged bool // guarded by bus.mu
	ended  bool // likewise
}

// Events is closed after [Subscription.Close], or when the subscriber fell too far behind.
func (s *Subscription) Events() <-chan Event { return s.ch }

// Lagged reports whether the bus dropped the subscription because its queue was full; the subscriber then looks anew.
func (s *Subscription) Lagged() bool {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	return s.lagged
}

// Close ends the subscription; it may be called more than once.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.drop(s)
}

// Subscribe watches topics from now on. A snapshot that is read afterwards lacks nothing.
func (b *Bus) Subscribe(topics ...string) *Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Subscription{bus: b, topics: slices.Clone(topics), ch: make(chan Event, queueSize)}
	for _, topic := range s.topics {
		if b.subs[topic] == nil {
			b.subs[topic] = map[*Subscription]struct{}{}
		}
		b.subs[topic][s] = struct{}{}
	}
	return s
}
