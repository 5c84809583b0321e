package agent

import (
	"errors"
	"testing"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/flower/supernode"
)

// What a round may send is bounded by the owner's rule over all its replies; what is refused is not in the ledger.
func TestARoundSendsNoMoreThanTheRuleAllows(t *testing.T) {
	dir := t.TempDir()
	l, err := ledger.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := &recorder{ledger: l, federation: "cardio", names: func(uint64) string { return "" }, grown: make(chan struct{}, 1),
		most: func() (int64, bool, error) { return 100, true, nil }}
	for i, step := range []struct {
		o       supernode.Outgoing
		refused bool
	}{
		{supernode.Outgoing{RunID: 1, Round: "1", Bytes: 60}, false},
		{supernode.Outgoing{RunID: 1, Round: "1", Bytes: 60}, true},
		{supernode.Outgoing{RunID: 1, Round: "1", Bytes: 40}, false},
		{supernode.Outgoing{RunID: 1, Round: "1", Bytes: 900, Error: true}, false}, // an error reply always goes out
		{supernode.Outgoing{RunID: 1, Round: "2", Bytes: 60}, false},
		{supernode.Outgoing{RunID: 2, Round: "1", Bytes: 60}, false},
		{supernode.Outgoing{RunID: 2, MessageID: "a", Bytes: 60}, false}, // rounds without a name: each message is one
		{supernode.Outgoing{RunID: 2, MessageID: "b", Bytes: 60}, false},
		{supernode.Outgoing{RunID: 2, MessageID: "c", Bytes: 101}, true},
	} {
		err := r.Leaving(step.o)
		app, ok := errors.AsType[*supernode.AppError](err)
		if step.refused != ok || !step.refused && err != nil || ok && app.Reason != (&approval.Refusal{Rule: approval.RuleBytes}).Reason() {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if h := l.Head(); h.N != 7 {
		t.Errorf("the ledger has %d entries", h.N)
	}
}

// An error reply that left while the ledger could not be written is written later, and says so.
func TestLateEntries(t *testing.T) {
	dir := t.TempDir()
	l, err := ledger.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{ledger: l, federation: "cardio", names: func(uint64) string { return "" }, grown: make(chan struct{}, 1)}
	_ = l.Close() // nothing can be written
	if err := r.Leaving(supernode.Outgoing{RunID: 1, ReplyID: "x", Error: true, Unrecorded: true}); err == nil {
		t.Fatal("a closed ledger takes an entry")
	}
	if r.ledger, err = ledger.Open(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	defer r.ledger.Close()
	r.Sent(supernode.Sent{RunID: 1})
	var late []bool
	if _, err := ledger.Check(dir, func(e ledger.Entry) error { late = append(late, e.Late); return nil }); err != nil || len(late) != 2 || !late[0] || late[1] {
		t.Errorf("%v, %v", late, err)
	}
}
