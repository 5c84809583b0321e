package runtimeproxy

import (
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// asked reads which SuperNodes a ServerApp asks, of its push-messages call. They are asked from when that was sent: one may begin
// before the SuperLink's answer is here. Decoding never fails the call.
func (p *Proxy) asked(body, answer []byte, sent time.Time) domain.Observation {
	var in flwrpb.PushAppMessagesRequest
	var out flwrpb.PushAppMessagesResponse
	if proto.Unmarshal(body, &in) != nil || proto.Unmarshal(answer, &out) != nil {
		p.o.Logger.Warn("a push-messages call that cannot be decoded", "run", p.o.EngineRunID)
		return domain.Observation{}
	}
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
		e.AskedAt = sent
		var objects []string
		if i < len(in.GetMessageObjectTrees()) {
			objects = flatten(in.GetMessageObjectTrees()[i], nil)
		}
		batch = append(batch, ask{exchange: e, kind: m.GetMetadata().GetMessageType(), group: m.GetMetadata().GetGroupId(), objects: objects})
	}
	if p.memo.push(out.GetObjectsToPush()) {
		p.pushed()
	}
	return domain.Observation{Exchanges: p.memo.ask(batch)}
}

// given reads an object that a ServerApp sends along, of its push-object call: it may say which round it belongs to.
func (p *Proxy) given(body []byte) domain.Observation {
	var in flwrpb.PushObjectRequest
	if proto.Unmarshal(body, &in) != nil {
		return domain.Observation{}
	}
	return domain.Observation{Exchanges: p.memo.given(in.GetObjectId(), in.GetObjectContent())}
}

func exchange(m *flwrpb.Metadata, node uint64, id string) domain.Exchange {
	round, _ := groupNumber(m.GetGroupId())
	return domain.Exchange{Round: round, Phase: phaseOf(m.GetMessageType()), NodeID: node, MessageID: cut(id, 128)}
}

const failed = "failed" // flwr's sub-status

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

// replies notes what the SuperLink answered to a poll. Error replies are stored now, the others when their objects are here.
func (p *Proxy) replies(out *flwrpb.PullAppMessagesResponse) domain.Observation {
	now := p.o.Clock().UTC()
	var o domain.Observation
	for i, m := range out.GetMessagesList() {
		meta := m.GetMetadata()
		if meta.GetReplyToMessageId() == "" {
			continue
		}
		e := exchange(meta, meta.GetSrcNodeId(), meta.GetReplyToMessageId())
		e.Round = p.memo.roundOf(e)
		if m.GetError() != nil {
			e.RepliedAt, e.Failed, e.Error = now, true, cut(m.GetError().GetReason(), maxError)
			o.Exchanges = append(o.Exchanges, e)
		}
		p.memo.replied(e)
		if i < len(out.GetMessageObjectTrees()) {
			tree := out.GetMessageObjectTrees()[i]
			e.ReplyObject = cut(tree.GetObjectId(), 128)
			p.memo.expect(reply{exchange: e, objects: flatten(tree, nil), message: m, tree: tree})
		}
	}
	return o
}

// maxObjects bounds the objects remembered of one reply; a model has one per array and chunk.
const maxObjects = 100_000

func flatten(t *flwrpb.ObjectTree, into []string) []string {
	if len(into) >= maxObjects {
		return into
	}
	into = append(into, t.GetObjectId())
	for _, c := range t.GetChildren() {
		into = flatten(c, into)
	}
	return into
}

// confirm stores a reply whose objects the ServerApp has all pulled, before it is told that the SuperLink heard of it.
func (p *Proxy) confirm(body []byte) domain.Observation {
	var in flwrpb.ConfirmMessageReceivedRequest
	if proto.Unmarshal(body, &in) != nil {
		return domain.Observation{}
	}
	r, records, beyond, ok := p.memo.take(in.GetMessageObjectId())
	if !ok || r.exchange.Failed { // an error reply is stored when it is pulled
		return domain.Observation{}
	}
	p.shapes.reply(r.exchange, r.objects, p.memo.unknown(r.objects))
	r.exchange.RepliedAt = p.o.Clock().UTC()
	o := domain.Observation{Exchanges: []domain.Exchange{r.exchange}}
	rows, over := p.memo.bound(records)
	if o.Dropped = over + beyond; o.Dropped > 0 {
		p.o.Logger.Warn("a reply has more metrics than are kept", "run", p.o.EngineRunID, "node", r.exchange.NodeID, "left_out", o.Dropped)
	}
	for _, v := range rows {
		o.Metrics = append(o.Metrics, domain.Metric{Round: r.exchange.Round, Phase: r.exchange.Phase, NodeID: r.exchange.NodeID, Name: v.name, Value: v.value.value,
			Record: cut(v.record, maxName), Setting: v.setting})
	}
	return o
}

// confirmed forgets a reply that the ServerApp has confirmed and the SuperLink has let go of.
func (p *Proxy) confirmed(body, _ []byte, _ time.Time) domain.Observation {
	var in flwrpb.ConfirmMessageReceivedRequest
	if proto.Unmarshal(body, &in) == nil {
		p.memo.forget(in.GetMessageObjectId())
	}
	return domain.Observation{}
}

// output reads how a ServerApp says that it ended, before the SuperLink hears of it: whoever sees the run ended there knows it here.
func (p *Proxy) output(body []byte) domain.Observation {
	var in flwrpb.PushTaskOutputRequest
	if proto.Unmarshal(body, &in) == nil {
		if p.o.OnShapes != nil && in.GetSubStatus() == failed {
			p.o.OnShapes(p.shapes.told())
		}
		p.sign(SignOutput, cut(in.GetSubStatus(), 64), cut(in.GetDetails(), maxError))
	}
	return domain.Observation{}
}
