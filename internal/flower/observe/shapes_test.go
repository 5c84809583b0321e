package observe

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/testflwr"

	"github.com/google/go-cmp/cmp"
)

// madeReplies are the objects of replies, by id, as the installed flwr makes them.
func madeReplies(t *testing.T) (out []map[string][]byte) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), testflwr.Venv(t).Bin("python"), filepath.Join("testdata", "arrays.py")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var objects map[string][]byte
		if err := json.Unmarshal([]byte(line), &objects); err != nil {
			t.Fatal(err)
		}
		out = append(out, objects)
	}
	return out
}

// given lets an Observer see a reply of a SuperNode: small objects are read, large ones pass by.
func given(o *Observer, objects map[string][]byte, e domain.Exchange) {
	var ids []string
	for id, content := range objects {
		ids = append(ids, id)
		if len(content) <= MaxDecoded {
			o.Pulled(id, content)
		}
	}
	o.shapes.reply(e, o.shapes.of(ids, o.memo.unknown(ids)))
}

// Who sent which array in which shape is read out of what flwr itself makes of replies.
func TestShapesOfRepliesAreTold(t *testing.T) {
	replies := madeReplies(t)
	if len(replies) != 6 {
		t.Fatalf("%d replies", len(replies))
	}
	o := New(Options{})
	at := func(round int, node uint64) domain.Exchange {
		return domain.Exchange{Round: round, Phase: domain.PhaseTrain, NodeID: node}
	}
	is := func(want domain.Shapes) {
		t.Helper()
		if d := cmp.Diff(want, o.shapes.told()); d != "" {
			t.Error(d)
		}
	}
	is(domain.Shapes{})
	given(o, replies[0], at(1, 101))
	given(o, replies[2], at(1, 102))
	given(o, replies[0], at(2, 101)) // a new round begins
	given(o, replies[1], at(2, 103)) // the same objects
	is(domain.Shapes{Round: 2, Replies: 2})
	given(o, replies[2], at(2, 102))
	given(o, replies[3], at(2, 104))
	given(o, replies[4], at(2, 105)) // names more arrays than are read
	given(o, replies[5], domain.Exchange{Round: 2, Phase: domain.PhaseEvaluate, NodeID: 101})
	sent := func(shape string, nodes ...uint64) domain.SentShape {
		return domain.SentShape{Shape: shape, Count: len(nodes), Nodes: nodes}
	}
	is(domain.Shapes{Round: 2, Replies: 4, Unread: 1, Differ: []domain.Misfit{
		{Array: "layer.weight", Sent: []domain.SentShape{sent("(10, 64)", 101, 103, 104), sent("(12, 64)", 102)}},
		{Array: "bias", Sent: []domain.SentShape{sent("(10)", 101, 103, 104), sent("(12)", 102)}},
		{Array: "more", Sent: []domain.SentShape{sent("", 101, 103, 102), sent("(1)", 104)}},
	}})
	for node := uint64(200); node < 300; node++ {
		given(o, replies[0], at(3, node))
	}
	given(o, replies[2], at(3, 300))
	got := o.shapes.told()
	if got.Replies != 101 || len(got.Differ) != 2 || got.Differ[0].Sent[0].Count != 100 || len(got.Differ[0].Sent[0].Nodes) != domain.MaxSenders {
		t.Errorf("%+v", got)
	}
}
