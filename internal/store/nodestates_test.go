package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// The state of a federation's SuperNodes is what their keys say, without those that are revoked.
func TestNodeStatesAreThoseOfTheKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := domain.Federation{Slug: "states", Name: "S", TotalPartitions: 4}
		in(t, db, func(tx *store.Tx) error {
			if err := tx.InsertFederation(ctx, &f); err != nil {
				return err
			}
			seen := map[int64]domain.NodeSeen{}
			for p := range 3 {
				email := string(rune('a'+p)) + "@states.example"
				who := domain.Person{Email: email}
				if err := tx.InsertPerson(ctx, &who); err != nil {
					return err
				}
				req := domain.Request{Ref: email, FederationID: f.ID, PersonID: who.ID, State: domain.Approved, Partition: p}
				if err := tx.InsertRequest(ctx, &req); err != nil {
					return err
				}
				k := domain.NodeKey{FederationID: f.ID, RequestID: req.ID, Partition: p, PublicPEM: []byte("x"), Fingerprint: email,
					NodeID: uint64(7 + p), Via: "agent"}
				if err := tx.InsertNodeKey(ctx, &k); err != nil {
					return err
				}
				seen[k.ID] = domain.NodeSeen{FirstAt: now, LastAt: now.Add(time.Minute), Online: p == 0, Stuck: domain.StuckLate}
				if k.SuspendedAt = now; p == 2 {
					k.RevokedAt = now
				}
				if err := tx.UpdateNodeKey(ctx, k); err != nil {
					return err
				}
			}
			return tx.UpdateNodesSeen(ctx, seen)
		})
		in(t, db, func(tx *store.Tx) error {
			keys, err := tx.NodeKeys(ctx, f.ID)
			if err != nil {
				return err
			}
			var want []domain.NodeKey
			for _, k := range keys[:2] {
				want = append(want, domain.NodeKey{FederationID: f.ID, NodeID: k.NodeID, Partition: k.Partition, Via: k.Via, SuspendedAt: k.SuspendedAt,
					Seen: domain.NodeSeen{LastAt: k.Seen.LastAt, Online: k.Seen.Online, Stuck: k.Seen.Stuck}})
			}
			got, err := tx.NodeStates(ctx, []int64{f.ID, f.ID + 1})
			if diff := cmp.Diff(map[int64][]domain.NodeKey{f.ID: want}, got); diff != "" {
				t.Error(diff)
			}
			return err
		})
	})
}
