package runtimeproxy

import (
	"slices"
	"sync"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const (
	maxReplies    = 10_000 // replies whose objects are being pulled
	maxRemembered = 50_000 // decoded objects; content-addressed, so one may belong to several replies
	maxPerReply   = 2_000  // metrics kept of one reply
	maxNames      = 200    // different metric names kept of one run
)

// reply is a reply whose objects the ServerApp is pulling.
type reply struct {
	exchange domain.Exchange
	objects  []string
}

// ask is a message for a SuperNode, and the objects that belong to it.
type ask struct {
	exchange domain.Exchange
	objects  []string
}

// memory is what the proxy remembers of a run between calls. It is bounded; what falls out is only not measured.
type memory struct {
	mu      sync.Mutex
	replies map[string]reply
	objects map[string]object
	order   []string // object ids, oldest first
	names   map[string]bool

	asks    map[string]ask  // messages for SuperNodes, by id
	waiting map[string]bool // those whose round is not known yet
	toPush  map[string]bool // objects that the SuperLink waits for
	trains  int             // batches of train messages so far
}

func newMemory() *memory {
	return &memory{replies: map[string]reply{}, objects: map[string]object{}, names: map[string]bool{},
		asks: map[string]ask{}, waiting: map[string]bool{}, toPush: map[string]bool{}}
}

func (m *memory) expect(messageID string, r reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.replies) >= maxReplies {
		for id := range m.replies {
			delete(m.replies, id)
			break
		}
	}
	m.replies[messageID] = r
}

// object remembers a pulled object if it is a record or names records.
func (m *memory) object(request, answer []byte) {
	var in flwrpb.PullObjectRequest
	var out flwrpb.PullObjectResponse
	if proto.Unmarshal(request, &in) != nil || proto.Unmarshal(answer, &out) != nil || !out.GetObjectAvailable() {
		return
	}
	o, ok := decode(out.GetObjectContent())
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remember(in.GetObjectId(), o)
}

func (m *memory) remember(id string, o object) {
	if _, known := m.objects[id]; known {
		return
	}
	if len(m.order) >= maxRemembered {
		delete(m.objects, m.order[0])
		m.order = m.order[1:]
	}
	m.objects[id], m.order = o, append(m.order, id)
}

// take returns a reply and the numbers in its records, in the order of their objects. The reply stays known, because a
// confirmation whose answer got lost is repeated; storing twice changes nothing.
func (m *memory) take(messageID string) (reply, []value, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.replies[messageID]
	if !ok {
		return reply{}, nil, false
	}
	names := map[string]string{}
	for _, id := range r.objects {
		for objectID, name := range m.objects[id].names {
			names[objectID] = name
		}
	}
	var out []value
	seen := map[string]bool{}
	done := map[string]bool{}
	for _, id := range r.objects {
		o, known := m.objects[id]
		if !known || done[id] {
			continue
		}
		done[id] = true
		values := o.metric
		if isMetrics(names[id]) {
			values = slices.Concat(values, o.config)
		}
		for _, v := range values {
			if seen[v.name] { // two records with one key: the later one is told apart by its record's name
				v.name = cut(names[id]+"."+v.name, maxName)
			}
			seen[v.name] = true
			out = append(out, v)
		}
	}
	return r, out, true
}

// bound keeps a run's metrics within their limits and says how many were left out.
func (m *memory) bound(in []value) (kept []value, over int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range in {
		if len(kept) >= maxPerReply || !m.names[v.name] && len(m.names) >= maxNames {
			over++
			continue
		}
		m.names[v.name] = true
		kept = append(kept, v)
	}
	return kept, over
}
