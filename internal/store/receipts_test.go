package store_test

import (
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// A run gets its receipt some time after its end, when all that was seen of its last messages is stored; once it has one, it is not due.
func TestRunsThatEndedJustNowAreNotDueForAReceipt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, all := manyRuns(t, db, 1)
		run := all[0]
		run.State, run.EndedAt = domain.Failed, now
		in(t, db, func(tx *store.Tx) error { return tx.UpdateRun(ctx, run) })
		due := func(endedBy time.Time) int {
			t.Helper()
			var runs []domain.Run
			in(t, db, func(tx *store.Tx) (err error) { runs, err = tx.RunsWithoutReceipt(ctx, endedBy, 10); return err })
			return len(runs)
		}
		if before, at := due(now.Add(-time.Millisecond)), due(now); before != 0 || at != 1 {
			t.Errorf("%d runs are due before its end, %d at it", before, at)
		}
		in(t, db, func(tx *store.Tx) error { return tx.InsertReceipt(ctx, run.ID, []byte("{}"), now) })
		if n := due(now.Add(time.Hour)); n != 0 {
			t.Errorf("%d runs are due that have a receipt", n)
		}
	})
}
