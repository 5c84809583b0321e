package observe

import (
	"regexp"
	"strconv"

	"blossomtune/internal/domain"
)

// ask is a message for a SuperNode; the objects that belong to it are kept while they may tell its round.
type ask struct {
	exchange domain.Exchange
	kind     string // the message's type
	group    string
	objects  []string
	counted  int // the round that counting makes it
}

const maxRound = 1_000_000_000

var groupPattern = regexp.MustCompile(`(?i)^(?:.{0,40}(?:round|rnd)[\s_:#-]*)?(\d{1,10})$`)

// groupNumber reads a number from a message's group: the older API's strategies name the group by the round's number, apps also "round-3".
func groupNumber(group string) (int, bool) {
	m := groupPattern.FindStringSubmatch(group)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil && n <= maxRound
}

// push notes the objects that the SuperLink waits for before a batch of messages is whole; it reports whether there are none.
func (m *memory) push(objects []string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range objects {
		if len(m.toPush) < maxObjects {
			m.toPush[id] = true
		}
	}
	return len(m.toPush) == 0
}

// arrived notes an object that the SuperLink has now; it reports whether it was the last one.
func (m *memory) arrived(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.toPush[id] {
		return false
	}
	delete(m.toPush, id)
	return len(m.toPush) == 0
}

// ask notes a batch of messages and returns those whose round is known: by the message's group (older API), or by a config
// that was sent along before. The others wait for their config, which the ServerApp sends next. A batch may come again,
// because its answer got lost.
func (m *memory) ask(batch []ask) []domain.Exchange {
	m.mu.Lock()
	defer m.mu.Unlock()
	type part struct{ kind, group string }
	var order []part
	parts := map[part][]ask{}
	for _, a := range batch {
		if _, known := m.asks.get(a.exchange.MessageID); known {
			continue
		}
		p := part{a.kind, a.group}
		if parts[p] == nil {
			order = append(order, p)
		}
		parts[p] = append(parts[p], a)
	}
	for _, p := range order {
		nodes := map[uint64]bool{}
		for _, a := range parts[p] {
			nodes[a.exchange.NodeID] = true
		}
		phase := parts[p][0].exchange.Phase
		counted := m.turns.next(p.kind, phase, nodes)
		round := m.naming.round(m.naming.group(p.group, phase, counted), phase, nodes)
		m.turns.named(round)
		for _, a := range parts[p] {
			a.counted, a.exchange.Round = counted, round
			m.asks.put(a.exchange.MessageID, a, 1+len(a.objects))
			m.waiting[a.exchange.MessageID] = true
		}
	}
	return m.known()
}

// known returns the messages that are not stored yet and whose round is known. The caller holds the lock.
func (m *memory) known() (out []domain.Exchange) {
	for message := range m.waiting {
		a, _ := m.asks.get(message)
		if a.exchange.Round == 0 {
			round := m.naming.round(m.configRound(a.objects), a.exchange.Phase, map[uint64]bool{a.exchange.NodeID: true})
			m.turns.named(max(round, m.turns.round))
			m.decide(a, round)
			a, _ = m.asks.get(message)
		}
		if a.exchange.Round != 0 {
			out = append(out, a.exchange)
		}
	}
	return out
}

func (m *memory) decide(a ask, round int) {
	if round == 0 {
		return
	}
	a.exchange.Round, a.objects = round, nil
	m.asks.put(a.exchange.MessageID, a, 1)
}

func (m *memory) configRound(objects []string) int {
	for _, id := range objects {
		if o, ok := m.objects.get(id); ok && o.round != 0 {
			return o.round
		}
	}
	return 0
}

// given remembers an object that the ServerApp sends, and returns the waiting messages whose round it tells.
func (m *memory) given(id string, content []byte) []domain.Exchange {
	o, ok := decode(content)
	if !ok || o.config == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sends(o.config)
	if o.round == 0 {
		return nil
	}
	m.remember(id, o)
	return m.known()
}

// settle gives the messages that still wait the round that counting makes them, because nothing else tells it, and returns all
// that are not stored yet.
func (m *memory) settle() (out []domain.Exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for message := range m.waiting {
		a, _ := m.asks.get(message)
		if a.exchange.Round == 0 {
			m.decide(a, a.counted)
			a.exchange.Round = a.counted
		}
		out = append(out, a.exchange)
	}
	return out
}

// stored ends the wait of messages that are stored.
func (m *memory) stored(es []domain.Exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range es {
		delete(m.waiting, e.MessageID)
	}
}

// roundOf returns the round of a reply: that of the message it answers.
func (m *memory) roundOf(reply domain.Exchange) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, ok := m.asks.get(reply.MessageID); ok {
		return max(a.exchange.Round, 0)
	}
	return reply.Round
}

// replied notes that a SuperNode has replied.
func (m *memory) replied(e domain.Exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turns.replied(e.Phase, e.NodeID, e.Failed)
}
