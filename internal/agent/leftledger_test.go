package agent

import (
	"testing"
	"time"

	"blossomtune/internal/agent/ledger"
)

// A machine that leaves keeps its proof of what left it, and nothing else.
func TestTheLedgerOutlivesTheFederation(t *testing.T) {
	h := home(t.TempDir())
	if kept, err := h.keepLedger("none"); err != nil || kept != "" {
		t.Errorf("without a ledger: %q, %v", kept, err)
	}
	l, err := ledger.Open(string(h), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ledger.Entry{What: ledger.Log, Part: "supernode"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := h.keepLedger("20261129")
	if err != nil {
		t.Fatal(err)
	}
	m, ok := LeftLedger(kept)
	if !ok {
		t.Fatalf("%q is not taken for a ledger that was kept", kept)
	}
	if head, err := ledger.Check(m.Dir, nil); err != nil || head.N != 1 {
		t.Errorf("%+v, %v", head, err)
	}
	if _, ok := LeftLedger(string(h)); ok {
		t.Error("the home of an enrolled machine is taken for one that was left")
	}
}
