package onboarding_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Invariant 1: whatever managers do at once, a partition has at most one holder and is within the total, and each change of a
// request's state is one audit row.
func TestPartitionsHaveOneHolder(t *testing.T) {
	const total, people, workers, moves = 5, 12, 4, 40
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, total)
		var ids []int64
		for i := range people {
			ids = append(ids, w.pending(fmt.Sprintf("p%d@example.org", i)).ID)
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		var mu sync.Mutex
		changes := map[string]int{}
		done := func(rs ...domain.Request) {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range rs {
				changes[r.Ref+" request."+string(r.State)]++
			}
		}
		var wg sync.WaitGroup
		for n := range workers {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			wg.Go(func() {
				for range moves {
					id := ids[random.IntN(len(ids))]
					var rs []domain.Request
					var r domain.Request
					var err error
					switch random.IntN(6) {
					case 0, 1:
						rs, err = w.s.Approve(w.ctx, manager, []int64{id}, onboarding.NextFreePartition)
					case 2, 3:
						rs, err = w.s.Approve(w.ctx, manager, []int64{id}, random.IntN(total+1))
					case 4:
						r, err = w.s.Revoke(w.ctx, manager, id, "x")
						rs = []domain.Request{r}
					case 5:
						rs, err = w.s.Approve(w.ctx, manager, []int64{id, ids[random.IntN(len(ids))]}, onboarding.NextFreePartition)
					}
					switch domain.CodeOf(err) {
					case "":
						done(rs...)
					case domain.Conflict, domain.Invalid:
					default:
						t.Errorf("a decision failed: %v", err)
					}
				}
			})
		}
		wg.Wait()
		all, err := w.s.List(w.ctx, domain.RequestFilter{FederationID: w.fed.ID, Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		holders := map[int]string{}
		for _, r := range all {
			if r.State != domain.Approved {
				continue
			}
			if r.Partition < 0 || r.Partition >= total || holders[r.Partition] != "" {
				t.Errorf("%s holds %d, as does %q", r.Ref, r.Partition, holders[r.Partition])
			}
			holders[r.Partition] = r.Ref
		}
		w.compareAudit(all, changes)
	})
}

// compareAudit compares the audit rows of requests with the changes that were reported as done.
func (w *world) compareAudit(all []domain.Request, changes map[string]int) {
	w.t.Helper()
	for _, r := range all {
		rows := map[string]int{}
		for _, a := range w.audits(r.Ref) {
			rows[a]++
		}
		for _, a := range []string{"request.approved", "request.revoked"} {
			if rows[a] != changes[r.Ref+" "+a] || rows[a] > 1 {
				w.t.Errorf("%s: %d rows %s for %d changes", r.Ref, rows[a], a, changes[r.Ref+" "+a])
			}
		}
	}
}

// A transaction that fails at any point leaves neither the change nor its audit row.
func TestNoChangeWithoutItsAuditRow(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 2)
	r := w.pending("a@example.org")
	before := w.audits("")
	if err := w.db.InTx(w.ctx, func(tx *store.Tx) error { return tx.PutSetting(w.ctx, "x", "y") }); err != nil {
		t.Fatal(err)
	}
	broken := onboarding.New(w.s.Options)
	broken.Store = failing{w.s.Store}
	if _, err := broken.Approve(w.ctx, manager, []int64{r.ID}, 0); err == nil || !strings.Contains(err.Error(), "no audit") {
		t.Fatalf("approved without an audit row: %v", err)
	}
	if got, err := w.s.Request(w.ctx, r.ID); err != nil || got.State != domain.Pending || !slices.Equal(before, w.audits("")) {
		t.Errorf("%s, %v, %v", got.State, err, w.audits(""))
	}
}
