package runtimeproxy

import "blossomtune/internal/domain"

// ask is a message for a SuperNode; the objects that belong to it are kept while they may tell its round.
type ask struct {
	exchange domain.Exchange
	objects  []string
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
	train := false
	for _, a := range batch {
		if _, known := m.asks.get(a.exchange.MessageID); known {
			continue
		}
		train = train || a.exchange.Phase == domain.PhaseTrain
		m.asks.put(a.exchange.MessageID, a, 1+len(a.objects))
		m.waiting[a.exchange.MessageID] = true
	}
	if train {
		m.trains++
	}
	return m.known()
}

// known returns the messages that are not stored yet and whose round is known. The caller holds the lock.
func (m *memory) known() (out []domain.Exchange) {
	for message := range m.waiting {
		a, _ := m.asks.get(message)
		if a.exchange.Round == 0 {
			m.decide(a, m.configRound(a.objects))
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
	if !ok || o.round == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remember(id, o)
	return m.known()
}

// settle gives the messages that still wait a round by counting the batches, because nothing else tells it, and returns all
// that are not stored yet.
func (m *memory) settle() (out []domain.Exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for message := range m.waiting {
		a, _ := m.asks.get(message)
		if a.exchange.Round == 0 {
			m.decide(a, m.trains)
			a.exchange.Round = m.trains
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
	if a, ok := m.asks.get(reply.MessageID); ok && a.exchange.Round != 0 {
		return a.exchange.Round
	}
	return reply.Round
}
