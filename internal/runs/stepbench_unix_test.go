//go:build unix

package runs_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// manyNodes gives the world enrolled SuperNodes that are all online, as [world.nodes] does, in one transaction.
func (w *world) manyNodes(n int) {
	w.t.Helper()
	ctx, now := w.t.Context(), time.Now()
	w.in(func(tx *store.Tx) error {
		seen := map[int64]domain.NodeSeen{}
		for p := range n {
			who := domain.Person{Email: fmt.Sprintf("p%d@example.org", p), Name: "P"}
			if err := tx.InsertPerson(ctx, &who); err != nil {
				return err
			}
			req := domain.Request{Ref: who.Email, FederationID: w.fed.ID, PersonID: who.ID, State: domain.Approved, Partition: p}
			if err := tx.InsertRequest(ctx, &req); err != nil {
				return err
			}
			k := domain.NodeKey{FederationID: w.fed.ID, RequestID: req.ID, Partition: p, PublicPEM: make([]byte, 178), Fingerprint: who.Email,
				NodeID: uint64(101 + p), Via: "agent"}
			if err := tx.InsertNodeKey(ctx, &k); err != nil {
				return err
			}
			seen[k.ID] = domain.NodeSeen{FirstAt: now, LastAt: now, Online: true, Flwr: "1.42.0", Agent: "1.0.0", Python: "3.11.9"}
		}
		return tx.UpdateNodesSeen(ctx, seen)
	})
}

// What the driver does each second for a run of 10,000 SuperNodes, half of which have answered; and what its page says it waits for.
func BenchmarkALargeRunIsDriven(b *testing.B) {
	const nodes = 10_000
	w := newWorld(b, storetest.SQLite(b))
	w.server.LargeFrom(10 * nodes)
	w.manyNodes(nodes)
	run := w.running(domain.Limits{Round: time.Hour, NoProgress: time.Hour})
	answered := make([]int, nodes/2)
	for i := range answered {
		answered[i] = i
	}
	w.ask(run, 1, time.Now().Add(-time.Minute), nodes, answered...)
	w.step() // notes who was asked
	for name, do := range map[string]func(){
		"step": w.step,
		"wait": func() { w.waits(run) },
		"progress": func() {
			if _, err := w.server.Progress(b.Context(), []domain.Run{run}); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			before := usedCPU(b)
			for b.Loop() {
				do()
			}
			b.ReportMetric(float64((usedCPU(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// usedCPU is how much time this process has had of the CPUs: unlike the time that passed it does not depend on other load.
func usedCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
