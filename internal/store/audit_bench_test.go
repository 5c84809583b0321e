package store_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// BenchmarkAuditWriters tells what many changes at once cost, each in its transaction with its audit entry: all of them follow one
// another in the audit's chain.
func BenchmarkAuditWriters(b *testing.B) {
	open := map[string]func(testing.TB) *store.DB{"sqlite": storetest.SQLite, "postgres": storetest.Postgres}
	for _, name := range []string{"sqlite/1", "sqlite/16", "postgres/1", "postgres/16"} {
		b.Run(name, func(b *testing.B) {
			database, n, _ := strings.Cut(name, "/")
			writers, err := strconv.Atoi(n)
			if err != nil {
				b.Fatal(err)
			}
			db := open[database](b)
			var mu sync.Mutex
			var took []time.Duration
			b.ResetTimer()
			start := time.Now()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						began := time.Now()
						err := db.InTx(ctx, func(tx *store.Tx) error {
							p := domain.Person{Name: "N", CreatedAt: now}
							if err := tx.InsertPerson(ctx, &p); err != nil {
								return err
							}
							return tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: domain.System, Action: "person.added", ObjectKind: "person", ObjectID: "n"})
						})
						if err != nil {
							b.Error(err)
						}
						mu.Lock()
						took = append(took, time.Since(began))
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "tx/s")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
