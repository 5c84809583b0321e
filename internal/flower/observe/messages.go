package observe

import (
	"context"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Asked reads which SuperNodes a ServerApp asks, of its push-messages call and the answer to it. They are asked from when the call was
// sent: one may begin before the answer is here.
func (o *Observer) Asked(ctx context.Context, in *flwrpb.PushAppMessagesRequest, out *flwrpb.PushAppMessagesResponse, sent time.Time) bool {
	var batch []ask
	for i, m := range in.GetMessagesList() {
		id := m.GetMetadata().GetMessageId()
		if i < len(out.GetMessageIds()) {
			id = out.GetMessageIds()[i]
		}
		if id == "" {
			continue // the SuperLink did not take this one
		}
		e := exchange(m.GetMetadata(), m.GetMetadata().GetDstNodeId(), id)
		e.AskedAt = sent.UTC()
		var objects []string
		if i < len(in.GetMessageObjectTrees()) {
			objects = flatten(in.GetMessageObjectTrees()[i])
		}
		batch = append(batch, ask{exchange: e, kind: m.GetMetadata().GetMessageType(), group: m.GetMetadata().GetGroupId(), objects: objects})
	}
	if o.memo.push(out.GetObjectsToPush()) {
		o.pushed()
	}
	return o.store(ctx, domain.Observation{Exchanges: o.memo.ask(batch)})
}

// Given reads an object that a ServerApp sends along: it may say which round its message belongs to.
func (o *Observer) Given(ctx context.Context, id string, content []byte) bool {
	return o.store(ctx, domain.Observation{Exchanges: o.memo.given(id, content)})
}

// Taken notes that the SuperLink has an object that the ServerApp sent.
func (o *Observer) Taken(id string) {
	if o.memo.arrived(id) {
		o.pushed()
	}
}

func (o *Observer) pushed() {
	if o.o.OnPushed != nil {
		o.o.OnPushed()
	}
}

// Settle stores the messages whose round nothing has told, by counting. It must be called before a poll for replies.
func (o *Observer) Settle(ctx context.Context) bool {
	return o.store(ctx, domain.Observation{Exchanges: o.memo.settle()})
}

func exchange(m *flwrpb.Metadata, node uint64, id string) domain.Exchange {
	round, _ := groupNumber(m.GetGroupId())
	return domain.Exchange{Round: round, Phase: phaseOf(m.GetMessageType()), NodeID: node, MessageID: cut(id, 128)}
}

func phaseOf(messageType string) domain.Phase {
	switch kind, _, _ := strings.Cut(messageType, "."); kind {
	case "train":
		return domain.PhaseTrain
	case "evaluate":
		return domain.PhaseEvaluate
	}
	return domain.PhaseOther
}

const maxError = 2000

// cut makes a text that a participant or an app chose fit to be stored: short, valid UTF-8, and without the zero bytes that
// PostgreSQL refuses.
func cut(s string, n int) string {
	return strings.Clone(domain.Cut(s, n)) // the rest is not kept in memory
}

// maxObjects bounds the objects remembered of one reply; a model has one per array and chunk.
const maxObjects = 100_000

// flatten lists the objects of a tree, each once.
func flatten(t *flwrpb.ObjectTree) (ids []string) {
	seen := map[string]bool{}
	var visit func(*flwrpb.ObjectTree)
	visit = func(t *flwrpb.ObjectTree) {
		id := t.GetObjectId()
		if len(ids) >= maxObjects || seen[id] {
			return
		}
		seen[id], ids = true, append(ids, id)
		for _, c := range t.GetChildren() {
			visit(c)
		}
	}
	visit(t)
	return ids
}

// replyTo returns the exchange that a reply ends; false for a message that answers nothing.
func (o *Observer) replyTo(m *flwrpb.Message, now time.Time) (domain.Exchange, bool) {
	meta := m.GetMetadata()
	if meta.GetReplyToMessageId() == "" {
		return domain.Exchange{}, false
	}
	e := exchange(meta, meta.GetSrcNodeId(), meta.GetReplyToMessageId())
	e.Round = o.memo.roundOf(e)
	if m.GetError() != nil {
		e.RepliedAt, e.Failed, e.Error = now, true, cut(m.GetError().GetReason(), maxError)
	}
	return e, true
}

// measured makes the observation of a reply: its exchange, and the numbers in its records, within the run's limits. It returns also how
// the reply's arrays are made, which is to be noted once the observation is stored.
func (o *Observer) measured(e domain.Exchange, objects []string) (out domain.Observation, is made) {
	is = o.shapes.of(objects, o.memo.unknown(objects))
	e.RepliedAt = o.o.Clock().UTC()
	out.Exchanges = []domain.Exchange{e}
	records, beyond := o.memo.numbers(objects)
	rows, over := o.memo.bound(records)
	if out.Dropped = over + beyond; out.Dropped > 0 {
		o.o.Logger.Warn("a reply has more metrics than are kept", "run", o.o.EngineRunID, "node", e.NodeID, "left_out", out.Dropped)
	}
	for _, v := range rows {
		out.Metrics = append(out.Metrics, domain.Metric{Round: e.Round, Phase: e.Phase, NodeID: e.NodeID, Name: v.name, Value: v.value.value,
			Record: v.record, Setting: v.setting})
	}
	return out, is
}
