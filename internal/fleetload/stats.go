package fleetload

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"
)

// stats is what the nodes of a fleet count together.
type stats struct {
	retries, polls, empty         atomic.Int64
	pulledMessages, replies, lost atomic.Int64
	objectsIn, objectsOut, wrong  atomic.Int64
	bytesIn, bytesOut             atomic.Int64 // of objects
	beats, beatsOK, beatsStopped  atomic.Int64
	beatTimes                     histogram

	mu     sync.Mutex
	calls  map[string]int64
	fails  map[string]int64
	phases map[phaseKey]*Phase
}

func newStats() *stats {
	return &stats{calls: map[string]int64{}, fails: map[string]int64{}, phases: map[phaseKey]*Phase{}}
}

func (s *stats) call(name string) {
	s.mu.Lock()
	s.calls[name]++
	s.mu.Unlock()
}

func (s *stats) fail(name, kind string) {
	s.mu.Lock()
	s.fails[name+" "+kind]++
	s.mu.Unlock()
}

type phaseKey struct {
	run         uint64
	group, kind string
}

const maxPhases = 10_000

// Phase is what nodes did for messages of one run, group and type.
type Phase struct {
	RunID   uint64  `json:"run_id"`
	Group   string  `json:"group"`
	Type    string  `json:"type"`
	Pulled  int     `json:"pulled"`  // messages
	Replied int     `json:"replied"` // replies whose objects are all pushed
	Seconds float64 `json:"seconds"` // from the first message pulled to the last reply pushed

	first, last time.Time
}

func (s *stats) inPhase(m *flwrpb.Metadata, change func(*Phase)) {
	k := phaseKey{m.GetRunId(), m.GetGroupId(), m.GetMessageType()}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.phases[k]
	if p == nil {
		if len(s.phases) >= maxPhases {
			return
		}
		p = &Phase{RunID: k.run, Group: k.group, Type: k.kind, first: time.Now()}
		s.phases[k] = p
	}
	change(p)
}

func (s *stats) listPhases() []Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Phase, 0, len(s.phases))
	for _, p := range s.phases {
		q := *p
		if q.Replied > 0 {
			q.Seconds = q.last.Sub(q.first).Seconds()
		}
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b Phase) int { return a.first.Compare(b.first) })
	return out
}

// histogram keeps durations with an error of one per cent, from a microsecond to minutes.
type histogram struct {
	buckets [2000]atomic.Int64
	most    atomic.Int64
}

const histogramStep = 0.01 // of the logarithm

func (h *histogram) add(d time.Duration) {
	at := int(math.Log(max(float64(d/time.Microsecond), 1)) / histogramStep)
	h.buckets[min(at, len(h.buckets)-1)].Add(1)
	for old := h.most.Load(); int64(d) > old && !h.most.CompareAndSwap(old, int64(d)); old = h.most.Load() {
	}
}

// reset forgets all durations.
func (h *histogram) reset() {
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
	h.most.Store(0)
}

// quantile returns the duration in milliseconds below which a part of all are; 0 without any.
func (h *histogram) quantile(q float64) float64 {
	var counts [2000]int64
	var all int64
	for i := range counts {
		counts[i] = h.buckets[i].Load()
		all += counts[i]
	}
	rank, seen := int64(math.Ceil(q*float64(all))), int64(0)
	for i, n := range counts {
		if seen += n; n > 0 && seen >= rank {
			return min(math.Exp((float64(i)+1)*histogramStep)/1000, cmp.Or(float64(h.most.Load())/1e6, math.MaxFloat64))
		}
	}
	return 0
}
