package observe

import (
	"sync"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

const (
	maxReplies  = 2_000_000 // unconfirmed replies and the objects in them
	maxAsks     = 500_000   // messages for SuperNodes, and the objects in those whose round is not known yet
	maxDecoding = 64 << 20  // bytes of decoded objects; content-addressed, so one may belong to several replies
	maxPerReply = domain.MaxReplyMetrics
	maxNames    = domain.MaxMetricNames
)

// reply is a reply that the SuperLink has handed out and the ServerApp has not confirmed.
type reply struct {
	exchange domain.Exchange
	objects  []string
	message  *flwrpb.Message
	tree     *flwrpb.ObjectTree
}

// memory is what the proxy remembers of a run between calls. It is bounded; what falls out is only not measured, and not
// given a second time.
type memory struct {
	mu      sync.Mutex
	replies *lru[reply]       // by the reply's message id
	byAsked map[string]string // the reply's message id by the id of the message that it answers
	objects *lru[object]      // by object id
	names   map[string]bool   // of metrics, each with its record

	settings int                  // of those names, how many come from ConfigRecords
	sent     map[string][]float64 // what the ServerApp sent out in configs, by key

	asks    *lru[ask]       // messages for SuperNodes, by id
	waiting map[string]bool // those that are not stored yet, because their round is not known or the sink failed
	toPush  map[string]bool // objects that the SuperLink waits for
	turns   turns           // tells rounds apart where nothing names them
	naming  naming          // reads the rounds that messages name
}

func newMemory() *memory {
	m := &memory{byAsked: map[string]string{}, objects: newLRU[object](maxDecoding, nil), names: map[string]bool{}, waiting: map[string]bool{},
		toPush: map[string]bool{}, sent: map[string][]float64{}}
	m.asks = newLRU(maxAsks, func(a ask) { delete(m.waiting, a.exchange.MessageID) })
	m.replies = newLRU(maxReplies, func(r reply) {
		asked := r.message.GetMetadata().GetReplyToMessageId()
		if m.byAsked[asked] == r.message.GetMetadata().GetMessageId() {
			delete(m.byAsked, asked)
		}
	})
	return m
}

func (m *memory) expect(r reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	meta := r.message.GetMetadata()
	m.replies.put(meta.GetMessageId(), r, 1+len(r.objects))
	m.byAsked[meta.GetReplyToMessageId()] = meta.GetMessageId()
}

// forget ends what is kept of a reply: the ServerApp has it.
func (m *memory) forget(messageID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replies.remove(messageID)
}

// again returns the replies that were given and not confirmed.
func (m *memory) again(asked []string) *flwrpb.PullAppMessagesResponse {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &flwrpb.PullAppMessagesResponse{}
	for _, id := range asked {
		if r, ok := m.replies.get(m.byAsked[id]); ok {
			out.MessagesList = append(out.MessagesList, r.message)
			out.MessageObjectTrees = append(out.MessageObjectTrees, r.tree)
		}
	}
	return out
}

// object remembers a pulled object if it is a record or names records.
func (m *memory) object(id string, content []byte) {
	o, ok := decode(content)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remember(id, o)
}

// unknown lists the records that a reply's objects name and that are none of numbers.
func (m *memory) unknown(objects []string) (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range objects {
		o, _ := m.objects.get(id)
		for _, record := range o.names {
			if _, known := m.objects.get(record); !known {
				ids = append(ids, record)
			}
		}
	}
	return ids
}

func (m *memory) remember(id string, o object) { m.objects.put(id, o, len(id)+o.size()) }

// take returns an unconfirmed reply.
func (m *memory) take(messageID string) (reply, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.replies.get(messageID)
}

// numbers returns the numbers in the records of a reply, and how many more there were.
func (m *memory) numbers(objects []string) (out []reading, beyond int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.readings(objects)
}
