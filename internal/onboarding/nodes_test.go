package onboarding_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// link is a SuperLink that remembers what it was told. Some keys are registered already.
type link struct {
	ids    map[string]uint64
	ended  map[uint64]int
	listed int
}

// RegisterNode implements onboarding.Registrar.
func (l *link) RegisterNode(_ context.Context, _ int64, pem []byte, _ string) (uint64, error) {
	if l.ids[string(pem)] != 0 {
		return 0, domain.Errorf(domain.Conflict, "The key is known.")
	}
	l.ids[string(pem)] = uint64(1000 + len(l.ids))
	return l.ids[string(pem)], nil
}

// UnregisterNode implements onboarding.Registrar.
func (l *link) UnregisterNode(_ context.Context, _ int64, id uint64) error { l.ended[id]++; return nil }

// RegisteredNodes implements onboarding.Registrar.
func (l *link) RegisteredNodes(context.Context, int64) (map[string]uint64, error) {
	l.listed++
	return l.ids, nil
}

// Keys are registered and unregistered once. Ids whose answer was lost are looked up together, and a pass with nothing to do says so.
func TestTheSuperLinkIsToldWhatChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 250
		w := newWorld(t, db, n)
		l := &link{ids: map[string]uint64{"pem 3": 3, "pem 4": 4}, ended: map[uint64]int{}}
		err := db.InTx(w.ctx, func(tx *store.Tx) error {
			for i := range n {
				p := domain.Person{Email: fmt.Sprintf("p%d@example.org", i), Name: "P"}
				if err := tx.InsertPerson(w.ctx, &p); err != nil {
					return err
				}
				r := domain.Request{Ref: fmt.Sprint("R", i), FederationID: w.fed.ID, PersonID: p.ID, Name: "P", State: domain.Approved, Partition: i}
				if err := tx.InsertRequest(w.ctx, &r); err != nil {
					return err
				}
				k := domain.NodeKey{FederationID: w.fed.ID, RequestID: r.ID, Partition: i, PublicPEM: fmt.Append(nil, "pem ", i),
					Fingerprint: fmt.Sprint("f", i), Via: "agent"}
				if err := tx.InsertNodeKey(w.ctx, &k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{n, 0} {
			if changed, err := w.s.SyncNodes(w.ctx, l, w.fed.ID); len(changed) != want || err != nil || l.listed != 1 {
				t.Errorf("%d changed, want %d; listed %d times: %v", len(changed), want, l.listed, err)
			}
		}
		stored, err := w.s.NodeKeys(w.ctx, w.fed.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range stored {
			if k.NodeID == 0 || k.NodeID != l.ids[string(k.PublicPEM)] {
				t.Errorf("partition %d has id %d", k.Partition, k.NodeID)
			}
		}
		gone := stored[9]
		gone.RevokedAt = time.Now()
		if err := db.InTx(w.ctx, func(tx *store.Tx) error { return tx.UpdateNodeKey(w.ctx, gone) }); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{1, 0} {
			if changed, err := w.s.SyncNodes(w.ctx, l, w.fed.ID); len(changed) != want || err != nil || l.ended[gone.NodeID] != 1 ||
				len(l.ended) != 1 {
				t.Errorf("%d changed, want %d; ended %v: %v", len(changed), want, l.ended, err)
			}
		}
		halted, err := w.s.HaltedKeys(w.ctx, w.fed.ID)
		if err != nil || len(halted) != 1 || halted[0].ID != gone.ID {
			t.Errorf("halted: %v, %v", halted, err)
		}
	})
}
