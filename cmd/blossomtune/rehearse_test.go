package main

import (
	"bytes"
	"testing"

	"blossomtune/internal/agent"
	"blossomtune/internal/agent/ledger"
)

func TestARehearsalIsPrintedRecordByRecord(t *testing.T) {
	r := &agent.Rehearsal{Federation: "Cardio", FAB: "a1b2", App: "blossomtune/digits", Version: "1.0.0", Config: map[string]any{"num-server-rounds": int64(1)},
		SuperNodes: 2, ServerApp: "completed", Bytes: 16_754, Complete: true, Replies: []agent.RehearsedReply{
			{Type: "train", Copies: 1, Bytes: 16_754, Objects: 5, Records: []ledger.Record{
				{Name: "arrays", Kind: "ArrayRecord", Bytes: 16_692, Arrays: []ledger.Array{{Name: "w\x1b[2J", DType: "float64", Shape: []int64{64, 32}, Bytes: 16_600}}},
				{Name: "metrics", Kind: "MetricRecord", Bytes: 62}}},
			{Type: "evaluate", Error: "The ClientApp ended without a reply."}}}
	var b bytes.Buffer
	if err := printRehearsal(&b, r); err != nil {
		t.Fatal(err)
	}
	want := `blossomtune/digits 1.0.0
  a1b2
  Rehearsed with num-server-rounds = 1.
  The ServerApp waited for more participants, so it was shown 2. Their replies were copies of this machine's.

train: 5 objects, 16.8 kB
  NAME        KIND          SHAPE    BYTES
  arrays      ArrayRecord            16692
    w\x1b[2J  float64       [64 32]  16600
  metrics     MetricRecord           62

evaluate: no result. The ClientApp ended without a reply.

ServerApp: completed.
One round would send 16.8 kB from this machine to Cardio. Nothing was sent to the server.
`
	if b.String() != want {
		t.Errorf("it is printed so:\n%s\nwant:\n%s", b.String(), want)
	}
}
