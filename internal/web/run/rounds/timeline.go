package rounds

import (
	"fmt"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
)

// timeline is one round in time.
type timeline struct {
	from, to time.Time
	live     bool
	next     time.Time // when the next round began; zero if it has not
	all      []domain.Passage
	people   map[uint64]*personInRound
	median   time.Duration // of those who are done
}

type personInRound struct {
	passages []domain.Passage
	took     time.Duration // of training, or of what there was; so far for one that has not replied
	done     bool
	failed   bool
}

func timelineOf(all []domain.Passage, next, now time.Time, live bool) *timeline {
	t := &timeline{all: all, next: next, live: live, people: map[uint64]*personInRound{}}
	for _, p := range all {
		if t.from.IsZero() || p.AskedAt.Before(t.from) {
			t.from = p.AskedAt
		}
		for _, at := range []time.Time{p.AskedAt, p.RepliedAt, p.SentAt, p.GotAt} {
			if at.After(t.to) {
				t.to = at
			}
		}
		if t.people[p.NodeID] == nil {
			t.people[p.NodeID] = &personInRound{}
		}
		t.people[p.NodeID].passages = append(t.people[p.NodeID].passages, p)
	}
	if live {
		t.to = now
	} else if next.After(t.to) {
		t.to = next
	}
	var done []time.Duration
	for _, p := range t.people {
		p.measure(t.to)
		if p.done {
			done = append(done, p.took)
		}
	}
	if len(done) > 0 {
		slices.Sort(done)
		t.median = done[len(done)/2]
	}
	return t
}

// measure finds how long the one exchange took that people wait for: training where there was one.
func (p *personInRound) measure(now time.Time) {
	main := p.passages[0]
	for _, q := range p.passages {
		if q.Phase == domain.PhaseTrain && main.Phase != domain.PhaseTrain {
			main = q
		}
		p.failed = p.failed || q.Failed
	}
	end := endOf(main)
	p.done = !end.IsZero()
	if !p.done {
		end = now
	}
	p.took = max(end.Sub(main.AskedAt), 0)
}

// endOf is when a participant was done with an exchange: its reply was sent, or the ServerApp had it.
func endOf(p domain.Passage) time.Time {
	if p.SentAt.IsZero() || !p.RepliedAt.IsZero() && p.RepliedAt.Before(p.SentAt) {
		return p.RepliedAt
	}
	return p.SentAt
}

// words say how a participant did in the round.
func (t *timeline) words(p *personInRound) string {
	text := seconds(p.took)
	switch {
	case p.failed:
		return "failed, " + text
	case !p.done && !t.live:
		return "no reply"
	case !p.done:
		return text + " so far"
	}
	return text
}

// seconds writes a length of time as precisely as it matters.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return ui.Span(d)
}

func (t *timeline) slow(p *personInRound) bool {
	return t.median > 0 && len(t.people) > 2 && (p.done || t.live) && p.took > slowFactor*t.median
}

// at is a moment in hundredths of the round.
func (t *timeline) at(when time.Time) float64 {
	if !t.to.After(t.from) {
		return 0
	}
	return min(max(100*float64(when.Sub(t.from))/float64(t.to.Sub(t.from)), 0), 100)
}

func (t *timeline) bar(class, what string, from, to time.Time) roundBar {
	a := t.at(from)
	return roundBar{class: class, at: a, long: max(t.at(to)-a, 0.25), words: what + ": " + seconds(to.Sub(from))}
}

// stretch is a part of an exchange: what was going on from one moment to another.
type stretch struct {
	class, what string
	from, to    time.Time
}

// stretches cuts an exchange where the gateway saw it change: until its first object was asked for it waited, until it was
// confirmed it was downloaded, until its reply was announced it was worked on, until the last object it was sent. What was not seen
// is waiting.
func (t *timeline) stretches(p domain.Passage) (out []stretch) {
	work := "train"
	if p.Phase != domain.PhaseTrain {
		work = "eval"
	}
	what := map[string]string{"wait": "waiting", "get": "download", "train": "train", "eval": string(p.Phase), "put": "upload"}
	steps := []struct {
		class string
		until time.Time
	}{{"wait", p.GetAt}, {"get", p.GotAt}, {work, p.PutAt}, {"put", p.SentAt}, {"wait", p.RepliedAt}}
	at := p.AskedAt
	for i, s := range steps {
		until := s.until
		if until.IsZero() { // it goes on, unless a later step is known to have begun
			if slices.ContainsFunc(steps[i+1:], func(later struct {
				class string
				until time.Time
			}) bool {
				return !later.until.IsZero()
			}) {
				continue
			}
			if t.live {
				out = append(out, stretch{s.class, what[s.class], at, t.to})
			}
			return out
		}
		if until.After(at) {
			out = append(out, stretch{s.class, what[s.class], at, until})
			at = until
		}
	}
	return out
}

func (t *timeline) bars(passages []domain.Passage) (out []roundBar) {
	for _, p := range passages {
		for _, s := range t.stretches(p) {
			out = append(out, t.bar(s.class, s.what, s.from, s.to))
		}
	}
	return out
}

// serverApp is when the ServerApp waited for replies, and when it aggregated: from the last reply that it pulled to its next push.
func (t *timeline) serverApp() (out []roundBar, took time.Duration) {
	type batch struct {
		from, to time.Time
		open     bool
	}
	by := map[domain.Phase]*batch{}
	for _, p := range t.all {
		b := by[p.Phase]
		if b == nil {
			b = &batch{from: p.AskedAt}
			by[p.Phase] = b
		}
		if p.AskedAt.Before(b.from) {
			b.from = p.AskedAt
		}
		if p.RepliedAt.After(b.to) {
			b.to = p.RepliedAt
		}
		b.open = b.open || p.RepliedAt.IsZero()
	}
	var batches []*batch
	for _, b := range by {
		batches = append(batches, b)
	}
	slices.SortFunc(batches, func(a, b *batch) int { return a.from.Compare(b.from) })
	for i, b := range batches {
		next := t.next
		if i+1 < len(batches) {
			next = batches[i+1].from
		}
		end := b.to
		if b.open && t.live && next.IsZero() {
			end = t.to
		}
		if end.After(b.from) {
			out = append(out, t.bar("wait", "waiting for replies", b.from, end))
		}
		switch {
		case b.to.IsZero():
		case next.After(b.to):
			out = append(out, t.bar("agg", "aggregate", b.to, next))
			took += next.Sub(b.to)
		case next.IsZero() && t.live && !b.open:
			out = append(out, t.bar("agg", "aggregate, so far", b.to, t.to))
			took += t.to.Sub(b.to)
		}
	}
	return out, took
}

// strip counts, over the round, how many participants did what at a time.
func (t *timeline) strip() (out []stripBar) {
	classes := []string{"train", "eval", "get", "put"}
	counts := map[string][]int{}
	for _, c := range classes {
		counts[c] = make([]int, stripBins)
	}
	for _, p := range t.all {
		for _, s := range t.stretches(p) {
			if counts[s.class] == nil {
				continue
			}
			for i := int(t.at(s.from) * stripBins / 100); i <= min(int(t.at(s.to)*stripBins/100), stripBins-1); i++ {
				counts[s.class][i]++
			}
		}
	}
	most := len(t.people)
	for i := range stripBins {
		y := 100.0
		for _, c := range classes {
			if n := counts[c][i]; n > 0 {
				high := min(100*float64(n)/float64(most), y)
				y -= high
				out = append(out, stripBar{class: c, at: 100 * float64(i) / stripBins, long: 100.0 / stripBins, y: y, high: high})
			}
		}
	}
	return out
}

// ticks are moments that people count in, at most six.
func (t *timeline) ticks() (out []roundTick) {
	whole := t.to.Sub(t.from).Seconds()
	if whole <= 0 {
		return nil
	}
	step := 1
	for whole/float64(step) > 6 {
		step = nextRound(step)
	}
	for n := 0; float64(n) <= whole*0.97; n += step {
		out = append(out, roundTick{at: 100 * float64(n) / whole, text: ui.Itoa(n)})
	}
	return out
}

// summary says how long the round took, and who is waited for.
func (t *timeline) summary(labels map[string]string) string {
	var waits []string
	asked := 0
	for _, p := range t.all {
		asked++
		if p.RepliedAt.IsZero() {
			waits = append(waits, LabelOf(labels, p.NodeID))
		}
	}
	slices.Sort(waits)
	waits = slices.Compact(waits)
	took := seconds(t.to.Sub(t.from))
	switch {
	case !t.live && len(waits) > 0:
		return fmt.Sprintf("took %s, without %s", took, some(waits))
	case !t.live:
		return "took " + took
	case len(waits) > 0:
		return fmt.Sprintf("%s so far, waiting for %s", took, some(waits))
	}
	return took + " so far, the ServerApp is working"
}

func some(names []string) string {
	switch len(names) {
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}
