package store_test

import (
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// A SuperNode's newest rounds over all its runs, each with all that it sent and got because of it; nothing of others.
func TestWhatASuperNodeContributedToItsNewestRounds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 2)
		at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
		var es []domain.Exchange
		var ts []domain.Timing
		asked := func(id string, run, round int, node uint64, phase domain.Phase, s int, replied, failed bool, up, down int64) {
			e := domain.Exchange{FederationID: f.ID, EngineRunID: all[run].EngineRunID, MessageID: id, Round: round, Phase: phase, NodeID: node,
				AskedAt: at(s), Failed: failed}
			if replied {
				e.RepliedAt = at(s + 1)
			}
			es = append(es, e)
			if up+down > 0 {
				ts = append(ts, domain.Timing{FederationID: f.ID, EngineRunID: e.EngineRunID, MessageID: id, NodeID: node, Up: up, Down: down})
			}
		}
		asked("old", 0, 1, 7, domain.PhaseTrain, 1, true, false, 100, 1000)
		asked("train", 1, 1, 7, domain.PhaseTrain, 10, true, false, 200, 2000)
		asked("evaluate", 1, 1, 7, domain.PhaseEvaluate, 12, true, true, 30, 3000)
		asked("other", 1, 1, 8, domain.PhaseTrain, 10, true, false, 999, 9999)
		asked("open", 1, 2, 7, domain.PhaseTrain, 20, false, false, 0, 0) // the gateway has seen nothing of it yet
		if err := db.Record(ctx, domain.Observation{Exchanges: es}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // bytes are added
			in(t, db, func(tx *store.Tx) error { return tx.SaveTimings(ctx, ts) })
		}
		want := []domain.Contribution{
			{Run: all[1].Name, Round: 2, AskedAt: at(20)},
			{Run: all[1].Name, Round: 1, AskedAt: at(12), Replies: 1, Errors: 1, Up: 460, Down: 10_000},
			{Run: all[0].Name, Round: 1, AskedAt: at(1), Replies: 1, Up: 200, Down: 2000},
		}
		for _, n := range []int{2, 10} {
			in(t, db, func(tx *store.Tx) error {
				got, err := tx.NewestContributions(ctx, f.ID, 7, n)
				if d := cmp.Diff(want[:min(n, len(want))], got); d != "" {
					t.Error(n, d)
				}
				return err
			})
		}
	})
}
