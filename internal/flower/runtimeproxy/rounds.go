package runtimeproxy

import "blossomtune/internal/domain"

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
// that was sent along before. The others wait for their config, which the ServerApp sends next.
func (m *memory) ask(batch []ask) []domain.Exchange {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range batch {
		if a.exchange.Phase == domain.PhaseTrain {
			m.trains++
			break
		}
	}
	var known []domain.Exchange
	for _, a := range batch {
		if len(m.asks) >= maxReplies {
			for id := range m.asks {
				delete(m.asks, id)
				delete(m.waiting, id)
				break
			}
		}
		if a.exchange.Round == 0 {
			a.exchange.Round = m.configRound(a.objects)
		}
		m.asks[a.exchange.MessageID] = a
		if a.exchange.Round == 0 {
			m.waiting[a.exchange.MessageID] = true
			continue
		}
		known = append(known, a.exchange)
	}
	return known
}

func (m *memory) configRound(objects []string) int {
	for _, id := range objects {
		if r := m.objects[id].round; r != 0 {
			return r
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
	var known []domain.Exchange
	for message := range m.waiting {
		a := m.asks[message]
		if a.exchange.Round = m.configRound(a.objects); a.exchange.Round == 0 {
			continue
		}
		m.asks[message] = a
		delete(m.waiting, message)
		known = append(known, a.exchange)
	}
	return known
}

// settle gives the messages that still wait a round by counting the batches: nothing else tells it.
func (m *memory) settle() []domain.Exchange {
	m.mu.Lock()
	defer m.mu.Unlock()
	var known []domain.Exchange
	for message := range m.waiting {
		a := m.asks[message]
		a.exchange.Round = m.trains
		m.asks[message] = a
		known = append(known, a.exchange)
	}
	clear(m.waiting)
	return known
}

// roundOf returns the round of a reply: that of the message it answers.
func (m *memory) roundOf(reply domain.Exchange) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, ok := m.asks[reply.MessageID]; ok && a.exchange.Round != 0 {
		return a.exchange.Round
	}
	return reply.Round
}
