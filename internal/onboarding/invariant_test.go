package onboarding_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Invariant 1: whatever is approved, revoked, withdrawn, expired and resized at once, a partition has at most one holder and is
// within the total, and each change of a request's state is one audit row.
func TestPartitionsHaveOneHolder(t *testing.T) {
	const total, people, workers, rounds, moves = 5, 14, 4, 5, 10
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, total)
		var ids []int64
		for i := range people {
			email := fmt.Sprintf("p%d@example.org", i)
			if i%5 == 4 {
				ids = append(ids, w.ask(email).ID) // never verified
				continue
			}
			ids = append(ids, w.pending(email).ID)
		}
		w.clock.pass(domain.RequestsLife + time.Minute)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		held, revoked := 0, 0
		for round := range rounds {
			var wg sync.WaitGroup
			for n := range workers {
				random := rand.New(rand.NewPCG(seed, uint64(round*workers+n)))
				wg.Go(func() {
					for range moves {
						switch err := w.move(random, ids, total); domain.CodeOf(err) {
						case "", domain.Conflict, domain.Invalid:
						default:
							t.Errorf("a move failed: %v", err)
						}
					}
				})
			}
			wg.Wait()
			holders, states := w.checkHolders()
			held, revoked = held+holders, states[domain.Revoked]
		}
		if held == 0 || revoked == 0 {
			t.Errorf("too little happened: partitions were held %d times, %d requests were revoked", held, revoked)
		}
	})
}

// move does one thing that managers, participants or time do.
func (w *world) move(random *rand.Rand, ids []int64, total int) (err error) {
	id := ids[random.IntN(len(ids))]
	switch random.IntN(9) {
	case 0, 1:
		_, err = w.s.Approve(w.ctx, manager, []int64{id}, onboarding.NextFreePartition)
	case 2, 3:
		_, err = w.s.Approve(w.ctx, manager, []int64{id}, random.IntN(total+2))
	case 4:
		_, err = w.s.Revoke(w.ctx, manager, id, "x")
	case 5:
		_, err = w.s.Approve(w.ctx, manager, []int64{id, ids[random.IntN(len(ids))]}, onboarding.NextFreePartition)
	case 6:
		if random.IntN(4) == 0 {
			r, _ := w.s.Request(w.ctx, id) // one that is not there cannot be withdrawn either
			_, err = w.s.Withdraw(w.ctx, domain.Actor{Kind: "person", PersonID: r.PersonID, Name: r.Name}, id)
		}
	case 7:
		_, err = w.s.Resize(w.ctx, manager, w.fed.ID, 1+random.IntN(total+3))
	case 8:
		_, err = w.s.ExpireOld(w.ctx)
	}
	return err
}

// from is what a request must have been before a state.
var from = map[domain.RequestState]domain.RequestState{domain.Pending: domain.Unverified, domain.ExpiredReq: domain.Unverified, domain.Approved: domain.Pending, domain.Withdrawn: domain.Pending, domain.Revoked: domain.Approved}

// checkHolders checks the invariant, and returns how many partitions are held and how many requests are in each state.
func (w *world) checkHolders() (held int, states map[domain.RequestState]int) {
	w.t.Helper()
	all, err := w.s.List(w.ctx, domain.RequestFilter{FederationID: w.fed.ID, Limit: 500})
	fed, err2 := w.s.Federation(w.ctx, w.fed.ID)
	if err != nil || err2 != nil || len(all) == 0 {
		w.t.Fatal(len(all), err, err2)
	}
	holders := map[int]string{}
	states = map[domain.RequestState]int{}
	for _, r := range all {
		states[r.State]++
		if r.State == domain.Approved {
			if r.Partition < 0 || r.Partition >= fed.TotalPartitions || holders[r.Partition] != "" {
				w.t.Errorf("%s holds %d of %d, as does %q", r.Ref, r.Partition, fed.TotalPartitions, holders[r.Partition])
			}
			holders[r.Partition] = r.Ref
		}
		want := []string{"request." + string(r.State)} // the newest first, as the audit log is
		for s := r.State; from[s] != ""; s = from[s] {
			want = append(want, "request."+string(from[s]))
		}
		if withdrawnAtOnce := append(want[:1:1], "request.unverified"); !slices.Equal(w.audits(r.Ref), want) && !(r.State == domain.Withdrawn && slices.Equal(w.audits(r.Ref), withdrawnAtOnce)) {
			w.t.Errorf("%s is %s by %v", r.Ref, r.State, w.audits(r.Ref))
		}
	}
	return len(holders), states
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
