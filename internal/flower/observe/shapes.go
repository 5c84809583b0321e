package observe

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"blossomtune/internal/domain"
)

const (
	maxShapes  = 16 << 20 // bytes of the arrays' names and shapes that are remembered
	maxLayouts = 64       // kinds of replies that are told apart in a round
	maxSenders = 10_000   // SuperNodes remembered of one kind
	maxDims    = 32
)

// shapes knows how the arrays of a round's replies are made, so that a failed aggregation can name who sent what. It reads the
// objects that describe arrays, never those that hold their content.
type shapes struct {
	mu      sync.Mutex
	objects *lru[described] // by object id

	round   int
	phase   domain.Phase
	layouts []layout
	unread  int
}

// described is an object that describes arrays; exactly one of its parts is set.
type described struct {
	arrays []named // of an ArrayRecord, in its order
	shape  string  // of an Array
}

// named is an array of a record: its object, or its shape when that is known.
type named struct{ name, is string }

// layout is one kind of reply.
type layout struct {
	arrays []named // name and shape
	nodes  []uint64
	count  int
}

func newShapes() *shapes { return &shapes{objects: newLRU[described](maxShapes, nil)} }

// describe reads an object that describes arrays (flwr 1.42, app/message/array.py and arrayrecord.py).
func describe(content []byte) (described, bool) {
	head, body, ok := bytes.Cut(content, []byte{0})
	if !ok {
		return described{}, false
	}
	switch kind, _, _ := bytes.Cut(head, []byte{' '}); string(kind) {
	case "ArrayRecord":
		arrays, ok := inOrder(body)
		return described{arrays: arrays}, ok
	case "Array":
		var a struct {
			Shape []int64 `json:"shape"`
		}
		if json.Unmarshal(body, &a) != nil || len(a.Shape) > maxDims {
			return described{}, false
		}
		return described{shape: shapeText(a.Shape)}, true
	}
	return described{}, false
}

func shapeText(dims []int64) string {
	out := make([]string, len(dims))
	for i, d := range dims {
		out[i] = strconv.FormatInt(d, 10)
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// inOrder reads a JSON object of texts, in its order.
func inOrder(body []byte) (out []named, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, false
		}
		value, err := dec.Token()
		name, isName := key.(string)
		id, isID := value.(string)
		if err != nil || !isName || !isID {
			return nil, false
		}
		out = append(out, named{cut(name, maxName), cut(id, 128)})
	}
	return out, true
}

func (d described) size() int {
	n := 128 + len(d.shape)
	for _, a := range d.arrays {
		n += len(a.name) + len(a.is) + 32
	}
	return n
}

// object remembers a pulled object that describes arrays.
func (s *shapes) object(id string, content []byte) {
	d, ok := describe(content)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects.put(id, d, len(id)+d.size())
}

// made tells how the arrays of a reply are made.
type made struct {
	arrays []named // name and shape
	whole  bool    // all of them are known
}

// of reads how the arrays of a whole reply are made, by the objects of its tree. records are those of its records that are not of numbers:
// one that is not known here was too large to be read.
func (s *shapes) of(objects, records []string) (out made) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out.arrays, out.whole = s.arraysOf(objects)
	for _, id := range records {
		_, known := s.objects.get(id)
		out.whole = out.whole && known
	}
	return out
}

// reply notes a reply. It must be called once for each.
func (s *shapes) reply(e domain.Exchange, is made) {
	if len(is.arrays) == 0 && is.whole {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Round != s.round || e.Phase != s.phase {
		s.round, s.phase, s.layouts, s.unread = e.Round, e.Phase, nil, 0
	}
	at := slices.IndexFunc(s.layouts, func(l layout) bool { return slices.Equal(l.arrays, is.arrays) })
	switch {
	case !is.whole || at < 0 && len(s.layouts) >= maxLayouts:
		s.unread++
		return
	case at < 0:
		s.layouts, at = append(s.layouts, layout{arrays: is.arrays}), len(s.layouts)
	}
	l := &s.layouts[at]
	if l.count++; len(l.nodes) < maxSenders {
		l.nodes = append(l.nodes, e.NodeID)
	}
}

// arraysOf lists the arrays of a reply with their shapes; it reports false when one is not known.
func (s *shapes) arraysOf(objects []string) (out []named, whole bool) {
	whole = true
	done := map[string]bool{}
	for _, id := range objects {
		d, ok := s.objects.get(id)
		if !ok || done[id] {
			continue
		}
		done[id] = true
		for _, a := range d.arrays {
			is, ok := s.objects.get(a.is)
			whole = whole && ok && is.shape != ""
			out = append(out, named{a.name, is.shape})
		}
	}
	return out, whole
}

// told sums up the round: which arrays have not the same shape in all replies, in the order in which they are sent.
func (s *shapes) told() domain.Shapes {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := domain.Shapes{Round: s.round, Unread: s.unread}
	var names []string
	known := map[string]bool{}
	of := make([]map[string]string, len(s.layouts)) // the shape of each array by its name
	for i, l := range s.layouts {
		out.Replies += l.count
		of[i] = map[string]string{}
		for _, a := range l.arrays {
			if of[i][a.name] = a.is; !known[a.name] {
				known[a.name] = true
				names = append(names, a.name)
			}
		}
	}
	if len(s.layouts) < 2 {
		return out
	}
	for _, name := range names {
		m := s.misfit(name, of)
		if len(m.Sent) < 2 {
			continue
		}
		if len(out.Differ) >= domain.MaxMisfits {
			out.Further++
			continue
		}
		out.Differ = append(out.Differ, m)
	}
	return out
}

// misfit tells who sent an array in which shape; of has the shapes of each layout.
func (s *shapes) misfit(name string, of []map[string]string) domain.Misfit {
	m := domain.Misfit{Array: name}
	for i, l := range s.layouts {
		shape := of[i][name]
		at := slices.IndexFunc(m.Sent, func(v domain.SentShape) bool { return v.Shape == shape })
		if at < 0 {
			m.Sent, at = append(m.Sent, domain.SentShape{Shape: shape}), len(m.Sent)
		}
		v := &m.Sent[at]
		v.Count += l.count
		v.Nodes = append(v.Nodes, l.nodes[:min(len(l.nodes), domain.MaxSenders-len(v.Nodes))]...)
	}
	slices.SortStableFunc(m.Sent, func(a, b domain.SentShape) int { return b.Count - a.Count })
	return m
}
