package store_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// replied is a reply's observation; each number is "record/name".
func replied(round int, node uint64, numbers map[string]float64) domain.Observation {
	o := domain.Observation{FederationID: 1, EngineRunID: aRun}
	for at, v := range numbers {
		record, name, _ := cutLast(at)
		o.Metrics = append(o.Metrics, domain.Metric{FederationID: 1, EngineRunID: aRun, Round: round, Phase: domain.PhaseTrain, NodeID: node, Name: name, Record: record, Value: v, At: now})
	}
	return o
}

func cutLast(s string) (before, after string, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return s[:i], s[i+1:], true
		}
	}
	return "", s, false
}

// named shows a run's metrics as "round node name=value".
func named(t *testing.T, db *store.DB) (out []string) {
	t.Helper()
	in(t, db, func(tx *store.Tx) error {
		ms, err := tx.Metrics(ctx, 1, aRun, 0, 0)
		out = nil
		for _, m := range ms {
			out = append(out, fmt.Sprintf("%d %d %s=%v", m.Round, m.NodeID, m.Name, m.Value))
		}
		return err
	})
	slices.Sort(out)
	return out
}

// A name means one record, in whatever order replies come and records are in them, and when the second record comes late.
func TestANameMeansOneRecord(t *testing.T) {
	one := replied(1, 7, map[string]float64{"train/loss": 0.5, "train/num-examples": 3, "train/acc[0]": 1, "train/acc[1]": 2})
	two := replied(1, 8, map[string]float64{"train/loss": 0.25, "system/loss": 99, "train/num-examples": 1, "system/acc[0]": 7})
	late := replied(2, 7, map[string]float64{"train/loss": 0.125, "train/acc[0]": 3})
	want := []string{"1 7 num-examples=3", "1 7 train.acc[0]=1", "1 7 train.acc[1]=2", "1 7 train.loss=0.5", "1 8 num-examples=1", "1 8 system.acc[0]=7", "1 8 system.loss=99", "1 8 train.loss=0.25",
		"2 7 train.acc[0]=3", "2 7 train.loss=0.125"}
	for _, order := range [][]domain.Observation{{one, two, late}, {two, one, late}, {late, one, two}, {late, two, one}} {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			for _, o := range order {
				for range 2 { // an answer got lost, so that it comes again
					if err := db.Record(ctx, o); err != nil {
						t.Fatal(err)
					}
				}
				roll(t, db)
			}
			if d := cmp.Diff(want, named(t, db)); d != "" {
				t.Error(d)
			}
			for name, n := range map[string]int{"loss": 0, "train.loss": 2, "system.loss": 1, "acc[0]": 0, "train.acc[1]": 1} {
				if got := bands(t, db, domain.BandQuery{MetricName: domain.MetricName{Phase: domain.PhaseTrain, Name: name}}); len(got) != n {
					t.Errorf("%s has %d bands, want %d", name, len(got), n)
				}
			}
			if got := bands(t, db, domain.BandQuery{MetricName: domain.MetricName{Phase: domain.PhaseTrain, Name: "train.loss"}}); got[0].Weighted == nil || *got[0].Weighted != (3*0.5+0.25)/4 {
				t.Errorf("the mean is %v", got[0].Weighted)
			}
			in(t, db, func(tx *store.Tx) error {
				names, err := tx.MetricNames(ctx, 1, aRun)
				m, err2 := tx.MetricMeter(ctx, 1, aRun)
				if len(names) != 6 || m.Kept != int64(len(want)) || err != nil || err2 != nil {
					t.Errorf("%v, %+v, %v %v", names, m, err, err2)
				}
				return nil
			})
		})
	}
}

// Who reads by the order of arrival gets renamed metrics again, under their new name; the app's own value keeps the bare one.
func TestRenamedMetricsComeAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		record(t, db, sent(1, domain.PhaseTrain, "loss", map[uint64]float64{0: 0.75}))
		if err := db.Record(ctx, replied(1, 7, map[string]float64{"train/loss": 0.5})); err != nil {
			t.Fatal(err)
		}
		roll(t, db)
		var before domain.MetricMeter
		in(t, db, func(tx *store.Tx) (err error) { before, err = tx.MetricMeter(ctx, 1, aRun); return err })
		if err := db.Record(ctx, replied(1, 8, map[string]float64{"system/loss": 9})); err != nil {
			t.Fatal(err)
		}
		roll(t, db)
		in(t, db, func(tx *store.Tx) error {
			ms, err := tx.Metrics(ctx, 1, aRun, before.Newest, 0)
			if len(ms) != 2 || ms[0].Name != "train.loss" || ms[1].Name != "system.loss" {
				t.Errorf("%+v", ms)
			}
			return err
		})
		whole := bands(t, db, domain.BandQuery{MetricName: domain.MetricName{Phase: domain.PhaseTrain, Name: "loss"}, After: before.Rolled})
		if len(whole) != 1 || whole[0].Nodes != 0 || whole[0].Median != nil || *whole[0].Whole != 0.75 {
			t.Errorf("the app's own value: %+v", whole)
		}
	})
}

// In a run with many metrics nothing is renamed any more: the first record keeps the name, and a name still means one record.
func TestALargeRunIsNotRenamed(t *testing.T) {
	defer store.SetMaxRenamed(1)()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, o := range []domain.Observation{replied(1, 7, map[string]float64{"train/loss": 0.5, "train/x": 1}), replied(1, 8, map[string]float64{"train/loss": 1, "system/loss": 9})} {
			if err := db.Record(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff([]string{"1 7 loss=0.5", "1 7 x=1", "1 8 loss=1", "1 8 system.loss=9"}, named(t, db)); d != "" {
			t.Error(d)
		}
	})
}

// Lists are read whole: their bands in a round, one SuperNode's, and whose are lowest.
func TestListsAreReadByRound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for round := 1; round <= 2; round++ {
			for node := uint64(7); node <= 9; node++ {
				numbers := map[string]float64{}
				for i := range domain.MaxListMetric {
					numbers["m/"+domain.ElementName("acc", i)] = float64(round) * float64(node) * float64(i)
				}
				if err := db.Record(ctx, replied(round, node, numbers)); err != nil {
					t.Fatal(err)
				}
			}
		}
		roll(t, db)
		of := domain.MetricName{Phase: domain.PhaseTrain, Name: "acc"}
		in(t, db, func(tx *store.Tx) error {
			for upto, want := range map[int]int{0: 2, 1: 1, 9: 2} {
				if n, ok, err := tx.ListRound(ctx, 1, aRun, of, upto); n != want || !ok || err != nil {
					t.Errorf("up to %d: round %d %v %v", upto, n, ok, err)
				}
			}
			if _, ok, err := tx.ListRound(ctx, 1, aRun, domain.MetricName{Phase: domain.PhaseTrain, Name: "none"}, 0); ok || err != nil {
				t.Errorf("%v %v", ok, err)
			}
			bs, err := tx.ListBands(ctx, 1, aRun, of, 2)
			if len(bs) != domain.MaxListMetric || err != nil {
				t.Errorf("%d bands, %v", len(bs), err)
			}
			ms, err := tx.ListOfNode(ctx, 1, aRun, 8, of, 1)
			if len(ms) != domain.MaxListMetric || err != nil {
				t.Errorf("%d metrics, %v", len(ms), err)
			}
			low, err := tx.RankedLists(ctx, 1, aRun, 2, of, false, 2)
			if !slices.Equal(low, []uint64{7, 8}) || err != nil {
				t.Errorf("lowest %v, %v", low, err)
			}
			first, last, err := tx.BandRounds(ctx, 1, aRun)
			if first != 1 || last != 2 || err != nil {
				t.Errorf("rounds %d to %d, %v", first, last, err)
			}
			return nil
		})
	})
}

// How far a run came is told by what it asked for, also where it only evaluates, and where its numbers count something else.
func TestRoundsAskedTellHowFarARunCame(t *testing.T) {
	for name, c := range map[string]struct {
		phase   domain.Phase
		rounds  []int
		planned int
		want    int
	}{
		"nothing asked":        {domain.PhaseTrain, nil, 3, 0},
		"all":                  {domain.PhaseTrain, []int{1, 2, 3}, 3, 3},
		"no plan":              {domain.PhaseTrain, []int{1, 2, 3}, 0, 3},
		"queries":              {domain.PhaseOther, []int{1, 2}, 3, 2},
		"evaluations only":     {domain.PhaseEvaluate, []int{0, 1, 2}, 3, 3},
		"one evaluation":       {domain.PhaseEvaluate, []int{0}, 1, 1},
		"beyond the plan":      {domain.PhaseTrain, []int{20241123, 20241124}, 3, 2},
		"the plan was too low": {domain.PhaseTrain, []int{1, 2, 3, 4}, 3, 4},
	} {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			var o domain.Observation
			for _, n := range c.rounds {
				o.Exchanges = append(o.Exchanges, domain.Exchange{FederationID: 1, EngineRunID: aRun, MessageID: fmt.Sprint(n), Round: n, Phase: c.phase, NodeID: math.MaxUint64, AskedAt: now})
			}
			if err := db.Record(ctx, o); err != nil {
				t.Fatal(err)
			}
			in(t, db, func(tx *store.Tx) error {
				if n, err := tx.RoundsAsked(ctx, 1, aRun, c.planned); n != c.want || err != nil {
					t.Errorf("%s: %d, %v, want %d", name, n, err, c.want)
				}
				return nil
			})
		})
	}
}
