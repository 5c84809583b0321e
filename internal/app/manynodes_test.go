package app

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const manyNodes = domain.MaxPartitions

// fillNodes makes the federation one of 10,000 partitions, each with its participant: most SuperNodes are online, and there are some of
// every other status.
func (s *site) fillNodes(n int) {
	s.t.Helper()
	ctx := s.t.Context()
	var err error
	if s.fed, err = s.app.Onboarding.Resize(ctx, domain.System, s.fed.ID, domain.MaxPartitions); err != nil {
		s.t.Fatal(err)
	}
	s.put(func(tx *store.Tx) error {
		for i := 1; i < n; i++ { // partition 0 is the fixture's
			if err := s.fillNode(tx, i); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *site) fillNode(tx *store.Tx, i int) error {
	ctx := s.t.Context()
	p := domain.Person{Email: fmt.Sprintf("node%05d@site-%d.example.org", i, i%97), Name: fmt.Sprintf("Person %05d", (i*7919)%100_000), CreatedAt: s.now()}
	if err := tx.InsertPerson(ctx, &p); err != nil {
		return err
	}
	r := domain.Request{Ref: fmt.Sprintf("N%07d", i), FederationID: s.fed.ID, PersonID: p.ID, State: domain.Approved, Partition: i, Name: p.Name, Organisation: fmt.Sprintf("Hospital %d", i%300),
		Email: p.Email, Message: "CT scans of the last ten years, de-identified.", CreatedAt: s.now(), DecidedAt: s.now()}
	if err := tx.InsertRequest(ctx, &r); err != nil || i%40 == 1 {
		return err
	}
	k := domain.NodeKey{FederationID: s.fed.ID, RequestID: r.ID, Partition: i, PublicPEM: fmt.Appendf(nil, "-----BEGIN PUBLIC KEY-----\n%0178d\n-----END PUBLIC KEY-----\n", i), Fingerprint: fmt.Sprintf("%064x", i),
		NodeID: uint64(i), Via: "agent", CreatedAt: s.now()}
	if err := tx.InsertNodeKey(ctx, &k); err != nil || i%40 == 2 {
		return err
	}
	seen := domain.NodeSeen{FirstAt: s.now().Add(-time.Hour), LastAt: s.now().Add(-time.Duration(i%30) * time.Second), Online: i%20 != 3, BytesIn: int64(i) * 1000, BytesOut: int64(i) * 3000, Flwr: "1.42.0", Agent: "1.0.0", Python: "3.11.7"}
	if i%500 == 4 {
		seen.Stuck = domain.StuckWaiting
	}
	if err := tx.UpdateNodeSeen(ctx, k.ID, seen); err != nil || i%400 != 5 {
		return err
	}
	k.SuspendedAt, k.Reason = s.now(), "moving servers"
	return tx.UpdateNodeKey(ctx, k)
}
