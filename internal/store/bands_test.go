package store_test

import (
	"math"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

const aRun = math.MaxUint64 - 7

// sent is what SuperNodes sent of a metric in a round, by their id; 0 is the whole.
func sent(round int, phase domain.Phase, name string, byNode map[uint64]float64) (ms []domain.Metric) {
	for id, v := range byNode {
		ms = append(ms, domain.Metric{FederationID: 1, EngineRunID: aRun, Round: round, Phase: phase, NodeID: id, Name: name, Value: v, At: now})
	}
	return ms
}

func record(t *testing.T, db *store.DB, ms ...[]domain.Metric) {
	t.Helper()
	for _, m := range ms {
		if err := db.Record(ctx, domain.Observation{FederationID: 1, EngineRunID: aRun, Metrics: m}); err != nil {
			t.Fatal(err)
		}
	}
}

func roll(t *testing.T, db *store.DB) {
	t.Helper()
	for more := true; more; {
		in(t, db, func(tx *store.Tx) (err error) { more, err = tx.RollUp(ctx, 1, aRun, false); return err })
	}
}

func bands(t *testing.T, db *store.DB, q domain.BandQuery) (out []domain.Band) {
	t.Helper()
	in(t, db, func(tx *store.Tx) (err error) { out, err = tx.Bands(ctx, 1, aRun, q); return err })
	return out
}

func TestBandsSumUpWhatSuperNodesSent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		record(t, db,
			sent(1, domain.PhaseTrain, "loss", map[uint64]float64{7: 1, 8: 2, math.MaxUint64: 6}),
			sent(1, domain.PhaseTrain, "num-examples", map[uint64]float64{7: 30, 8: 10, math.MaxUint64: 10}),
			sent(2, domain.PhaseTrain, "loss", map[uint64]float64{7: math.NaN(), 8: math.Inf(1), 9: 4, 0: math.NaN()}),
			sent(3, domain.PhaseTrain, "loss", map[uint64]float64{7: 5, 8: 7}))
		roll(t, db)
		loss := domain.BandQuery{MetricName: domain.MetricName{Phase: domain.PhaseTrain, Name: "loss"}}
		got := bands(t, db, loss)
		p := func(v float64) *float64 { return &v }
		want := []domain.Band{{Nodes: 3, Low: p(1), Median: p(2), High: p(6), Mean: p(3), Weighted: p(2.2)}, {Nodes: 3, Odd: 2, Low: p(4), Median: p(4), High: p(4), Mean: p(4), Whole: p(math.NaN())}, {Nodes: 2, Low: p(5), Median: p(6), High: p(7), Mean: p(6)}}
		for i := range want {
			want[i].Round, want[i].Phase, want[i].Name = i+1, domain.PhaseTrain, "loss"
		}
		for i := range got {
			if got[i].Upto == 0 {
				t.Errorf("round %d does not say up to which metric it goes", i+1)
			}
			got[i].Upto = 0
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })); d != "" {
			t.Error(d)
		}
		// A late value of an old round changes that round alone.
		var m domain.MetricMeter
		in(t, db, func(tx *store.Tx) (err error) { m, err = tx.MetricMeter(ctx, 1, aRun); return err })
		if m.Rolled != m.Newest || m.Kept != 12 {
			t.Errorf("meter %+v, want all 12 taken in", m)
		}
		record(t, db, sent(1, domain.PhaseTrain, "loss", map[uint64]float64{9: 10}))
		roll(t, db)
		loss.After = m.Rolled
		if late := bands(t, db, loss); len(late) != 1 || late[0].Round != 1 || *late[0].High != 10 || late[0].Weighted != nil {
			t.Errorf("after a late value: %+v", late)
		}
	})
}

func TestManyRoundsAreSummedUpInFewPoints(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var all []domain.Metric
		for round := 1; round <= 100; round++ {
			all = append(all, sent(round, domain.PhaseEvaluate, "acc", map[uint64]float64{1: float64(round), 2: -float64(round), 0: float64(round) / 2})...)
		}
		record(t, db, all)
		roll(t, db)
		q := domain.BandQuery{MetricName: domain.MetricName{Phase: domain.PhaseEvaluate, Name: "acc"}, From: 1, To: 100, Size: 10}
		got := bands(t, db, q)
		if len(got) != 11 { // 1–9, 10–19 … 90–99, 100
			t.Fatalf("%d points", len(got))
		}
		if b := got[1]; b.Round != 19 || *b.Low != -19 || *b.High != 19 || *b.Whole != 9.5 {
			t.Errorf("10 to 19: round %d, %v to %v, whole %v", b.Round, *b.Low, *b.High, *b.Whole)
		}
		in(t, db, func(tx *store.Tx) error {
			ms, err := tx.NodeMetrics(ctx, 1, aRun, 2, q)
			if len(ms) != 11 || ms[0].Round != 9 || ms[0].Value != -9 || ms[10].Round != 100 {
				t.Errorf("a participant's points: %d, %+v", len(ms), ms)
			}
			first, last, err2 := tx.BandRounds(ctx, 1, aRun)
			if err2 != nil || first != 1 || last != 100 {
				t.Errorf("rounds %d to %d, %v", first, last, err2)
			}
			ids, err3 := tx.RankedNodes(ctx, 1, aRun, 100, domain.PhaseEvaluate, "acc", false, 1)
			if err3 != nil || len(ids) != 1 || ids[0] != 2 {
				t.Errorf("the lowest is %v, %v", ids, err3)
			}
			return err
		})
	})
}

func TestWhatComesTwiceIsCountedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := domain.Observation{FederationID: 1, EngineRunID: aRun, Dropped: 5, Metrics: sent(1, domain.PhaseTrain, "loss", map[uint64]float64{7: 1}),
			Exchanges: []domain.Exchange{{FederationID: 1, EngineRunID: aRun, MessageID: "m", Round: 1, Phase: domain.PhaseTrain, NodeID: 7, AskedAt: now, RepliedAt: now}}}
		for range 3 {
			if err := db.Record(ctx, o); err != nil {
				t.Fatal(err)
			}
			in(t, db, func(tx *store.Tx) error { return tx.NoteLogDropped(ctx, 1, aRun, 3) })
		}
		in(t, db, func(tx *store.Tx) error {
			m, err := tx.MetricMeter(ctx, 1, aRun)
			if err != nil || m.Kept != 1 || m.Dropped != 8 {
				t.Errorf("meter %+v, %v, want 1 kept and 8 dropped", m, err)
			}
			return nil
		})
	})
}

func TestARunKeepsNoMoreMetricsThanItsLimit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		defer store.SetMaxMetrics(3)()
		record(t, db, sent(1, domain.PhaseTrain, "loss", map[uint64]float64{1: 1, 2: 1}), sent(2, domain.PhaseTrain, "loss", map[uint64]float64{1: 1, 2: 1, 3: 1}))
		in(t, db, func(tx *store.Tx) error {
			ms, err := tx.Metrics(ctx, 1, aRun, 0, 0)
			m, err2 := tx.MetricMeter(ctx, 1, aRun)
			if err != nil || err2 != nil || len(ms) != 3 || m.Kept != 3 || m.Dropped != 2 {
				t.Errorf("%d metrics, meter %+v, %v %v", len(ms), m, err, err2)
			}
			return nil
		})
	})
}

func TestTimingsKeepTheFirstAndAddTheBytes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := domain.Exchange{FederationID: 1, EngineRunID: aRun, MessageID: "m", Round: 4, Phase: domain.PhaseTrain, NodeID: 7, AskedAt: now}
		waits := e
		waits.MessageID, waits.NodeID = "n", 8
		if err := db.Record(ctx, domain.Observation{Exchanges: []domain.Exchange{e, waits}}); err != nil {
			t.Fatal(err)
		}
		at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
		in(t, db, func(tx *store.Tx) error {
			return tx.SaveTimings(ctx, []domain.Timing{{FederationID: 1, EngineRunID: aRun, MessageID: "m", NodeID: 7, TakenAt: at(1), GetAt: at(2), Down: 10},
				{FederationID: 1, EngineRunID: aRun, MessageID: "m", NodeID: 7, GetAt: at(3), GotAt: at(4), PutAt: at(5), SentAt: at(6), Up: 5, Down: 1},
				{FederationID: 1, EngineRunID: aRun, MessageID: "m", NodeID: 7, SentAt: at(7)}})
		})
		in(t, db, func(tx *store.Tx) error {
			ps, err := tx.Passages(ctx, 1, aRun, 4)
			want := []domain.Passage{{Exchange: e, TakenAt: at(1), GetAt: at(2), GotAt: at(4), PutAt: at(5), SentAt: at(7)}, {Exchange: waits}}
			if d := cmp.Diff(want, ps); d != "" || err != nil {
				t.Error(err, d)
			}
			tr, err := tx.Traffic(ctx, 1, aRun)
			if d := cmp.Diff([]domain.Traffic{{NodeID: 7, Up: 5, Down: 11}}, tr); d != "" || err != nil {
				t.Error(err, d)
			}
			ids, err := tx.WaitingAmong(ctx, 1, aRun, 4, []uint64{8, 9})
			if d := cmp.Diff([]uint64{8}, ids); d != "" || err != nil {
				t.Error(err, d)
			}
			return nil
		})
	})
}

func TestTheMapShowsTheWorstOfEachBin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var es []domain.Exchange
		add := func(round int, phase domain.Phase, replied, failed bool) {
			e := domain.Exchange{FederationID: 1, EngineRunID: aRun, MessageID: string(phase) + string(rune('a'+round)), Round: round, Phase: phase, NodeID: 7, AskedAt: now, Failed: failed}
			if replied {
				e.RepliedAt = now
			}
			es = append(es, e)
		}
		for round := 1; round <= 8; round++ { // 1, 2 well; 3 trained only; 4 silent; 5 failed; 6 not asked; 7 well; 8 open
			if round != 6 {
				add(round, domain.PhaseTrain, round != 4 && round != 8, round == 5)
			}
			if round != 3 && round != 6 && round != 8 {
				add(round, domain.PhaseEvaluate, true, false)
			}
		}
		if err := db.Record(ctx, domain.Observation{Exchanges: es}); err != nil {
			t.Fatal(err)
		}
		for size, want := range map[int]map[int]domain.Cell{
			1: {0: domain.CellEvaluated, 1: domain.CellEvaluated, 2: domain.CellTrained, 3: domain.CellNoReply, 4: domain.CellFailed, 6: domain.CellEvaluated, 7: domain.CellAsked},
			2: {0: domain.CellEvaluated, 1: domain.CellNoReply, 2: domain.CellFailed, 3: domain.CellAsked},
		} {
			in(t, db, func(tx *store.Tx) error {
				got, err := tx.Participation(ctx, 1, aRun, []uint64{7, 9}, size, 8)
				if d := cmp.Diff(map[uint64]map[int]domain.Cell{7: want, 9: {}}, got); d != "" || err != nil {
					t.Error(size, err, d)
				}
				return nil
			})
		}
	})
}
