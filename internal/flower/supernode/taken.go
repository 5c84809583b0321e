package supernode

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// taken notes the messages that were taken and not answered yet, so that a node that was killed answers them when it is back.
type taken struct{ dir string }

func (t taken) path(id string) string { return filepath.Join(t.dir, id) }

func (t taken) note(m *flwrpb.Message) error {
	content, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return replace(t.path(m.GetMetadata().GetMessageId()), content)
}

func (t taken) done(id string) { _ = os.Remove(t.path(id)) }

// open lists the messages that a node before this one has left.
func (t taken) open() []*flwrpb.Message {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return nil
	}
	var out []*flwrpb.Message
	for _, e := range entries {
		content, err := os.ReadFile(t.path(e.Name()))
		m := new(flwrpb.Message)
		if err != nil || proto.Unmarshal(content, m) != nil || m.GetMetadata().GetMessageId() != e.Name() {
			_ = os.Remove(t.path(e.Name()))
			continue
		}
		out = append(out, m)
	}
	return out
}

// answerLeftovers answers the messages that a node before this one had taken when it was killed.
func (n *Node) answerLeftovers(ctx context.Context, left []*flwrpb.Message) {
	for _, m := range left {
		meta := m.GetMetadata()
		if meta.GetDstNodeId() == n.id.Load() && n.expires(meta).After(n.o.Clock()) {
			n.o.Log("Answering a message of run %d that was taken before the SuperNode was restarted.", meta.GetRunId())
			reason := "The participant's SuperNode was restarted while it worked on this message."
			m := &message{proto: m}
			err := n.replyError(metered(ctx, m), m, wire.ErrorCrashed, reason)
			n.sent(m)
			if err != nil && ctx.Err() != nil {
				return // the next one answers it
			}
		}
		n.taken.done(meta.GetMessageId())
	}
}

func (n *Node) expires(m *flwrpb.Metadata) time.Time {
	return time.UnixMicro(int64((m.GetCreatedAt() + m.GetTtl()) * 1e6))
}
