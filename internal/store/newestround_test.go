package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// An app that counts from 1 again is in round 1, whatever round it reached before: alone and among several runs.
func TestTheNewestRoundIsTheOneAskedLast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, _ := manyRuns(t, db, 1)
		var asked []domain.Exchange
		for i, round := range []int{1, 2, 3, 1} {
			asked = append(asked, domain.Exchange{FederationID: f.ID, EngineRunID: 77, Round: round, Phase: domain.PhaseTrain, NodeID: 5, MessageID: string(rune('a' + i)),
				AskedAt: now.Add(time.Duration(i) * time.Second)})
		}
		in(t, db, func(tx *store.Tx) error {
			if err := tx.UpsertExchanges(ctx, asked); err != nil {
				return err
			}
			newest, err := tx.NewestExchanges(ctx, f.ID, 77)
			if err != nil {
				return err
			}
			var ids string
			for _, e := range newest {
				ids += e.MessageID
			}
			if ids != "ad" { // both times that it was in round 1
				t.Errorf("the newest exchanges are %q", ids)
			}
			several, err := tx.AskedOf(ctx, []domain.RunPart{{Run: domain.Run{ID: 1, FederationID: f.ID, EngineRunID: 77}}})
			if err != nil {
				return err
			}
			if d := cmp.Diff(newest, several[1]); d != "" {
				t.Errorf("among several runs: %s", d)
			}
			asked[3].RepliedAt = now.Add(time.Minute)
			if err := tx.UpsertExchanges(ctx, asked[3:]); err != nil {
				return err
			}
			active, err := tx.RoundActivity(ctx, f.ID, 77)
			if err != nil || !active.Began.Equal(asked[0].AskedAt) || !active.Last.Equal(asked[3].RepliedAt) {
				t.Errorf("the round was active from %s to %s, %v", active.Began, active.Last, err)
			}
			if active, err = tx.RoundActivity(ctx, f.ID, 78); err != nil || active != (domain.RoundActivity{}) {
				t.Errorf("a run that asked no one was active: %+v, %v", active, err)
			}
			none, err := tx.NewestExchanges(ctx, f.ID, 78)
			if err == nil && len(none) > 0 {
				t.Errorf("a run that asked no one has %d exchanges", len(none))
			}
			return err
		})
	})
}
