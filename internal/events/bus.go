// Package events tells whoever watches that something has changed. Events carry no truth of their own: the database has it;
// an event says where to look. They are published after the change is committed.
package events

import (
	"slices"
	"sync"
)

// Event says that something of a topic changed.
type Event struct {
	Seq   uint64 // given by the bus, increasing by one
	Topic string // "federation:<id>", "requests:<federation id>", "request:<id>", "engine:<federation id>", "run:<id>", "runs:<federation id>", "mail"
	Kind  string // what changed, in the topic's own words
	Data  any    // optional; read-only for all who receive it
}

const (
	ringSize  = 4096 // events kept for those who resume
	queueSize = 256  // events one subscriber may lag behind
)

// Bus passes events on. The zero value is not usable; see [NewBus].
type Bus struct {
	mu   sync.Mutex
	seq  uint64
	ring []Event                               // the newest, oldest first
	subs map[string]map[*Subscription]struct{} // by topic
}

// NewBus returns an empty bus.
func NewBus() *Bus { return &Bus{subs: map[string]map[*Subscription]struct{}{}} }

// Publish hands the event to all who watch its topic and returns at once: a subscriber whose queue is full is dropped and
// has to look anew.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	e.Seq = b.seq
	if len(b.ring) == ringSize {
		b.ring = slices.Delete(b.ring, 0, ringSize/4)
	}
	b.ring = append(b.ring, e)
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

// Subscribe watches topics from now on. The sequence number of now is returned with it, under the same lock, so that a
// snapshot read afterwards lacks nothing.
func (b *Bus) Subscribe(topics ...string) (*Subscription, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subscribe(topics), b.seq
}

func (b *Bus) subscribe(topics []string) *Subscription {
	s := &Subscription{bus: b, topics: slices.Clone(topics), ch: make(chan Event, queueSize)}
	for _, topic := range s.topics {
		if b.subs[topic] == nil {
			b.subs[topic] = map[*Subscription]struct{}{}
		}
		b.subs[topic][s] = struct{}{}
	}
	return s
}

// SubscribeAfter watches topics and first delivers what was missed since the event with number seq. It reports false when
// that is not known any more (too long ago, or of an earlier process); the subscriber then looks anew.
func (b *Bus) SubscribeAfter(seq uint64, topics ...string) (*Subscription, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.subscribe(topics)
	if seq > b.seq || seq < b.seq && (len(b.ring) == 0 || b.ring[0].Seq > seq+1) {
		return s, false
	}
	for _, e := range b.ring {
		if e.Seq > seq && slices.Contains(topics, e.Topic) {
			if len(s.ch) == cap(s.ch) {
				return s, false
			}
			s.ch <- e
		}
	}
	return s, true
}
