package observe

import "container/list"

// lru keeps values up to a total cost; the least recently used fall out first. It is not safe for concurrent use.
type lru[V any] struct {
	max, cost int
	index     map[string]*list.Element
	order     *list.List // most recently used first
	dropped   func(V)    // told of each value that leaves and is not replaced; may be nil
}

type entry[V any] struct {
	key   string
	value V
	cost  int
}

func newLRU[V any](most int, dropped func(V)) *lru[V] {
	return &lru[V]{max: most, index: map[string]*list.Element{}, order: list.New(), dropped: dropped}
}

func (l *lru[V]) get(key string) (V, bool) {
	e, ok := l.index[key]
	if !ok {
		var none V
		return none, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*entry[V]).value, true
}

func (l *lru[V]) put(key string, v V, cost int) {
	l.cost += cost
	if e, ok := l.index[key]; ok {
		l.cost -= e.Value.(*entry[V]).cost
		e.Value = &entry[V]{key, v, cost}
		l.order.MoveToFront(e)
	} else {
		l.index[key] = l.order.PushFront(&entry[V]{key, v, cost})
	}
	for l.cost > l.max {
		l.remove(l.order.Back().Value.(*entry[V]).key)
	}
}

func (l *lru[V]) remove(key string) {
	e, ok := l.index[key]
	if !ok {
		return
	}
	it := l.order.Remove(e).(*entry[V])
	delete(l.index, key)
	l.cost -= it.cost
	if l.dropped != nil {
		l.dropped(it.value)
	}
}
