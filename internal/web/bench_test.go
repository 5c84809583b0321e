package web_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

const manyRequests = 10_000

// fillRequests adds 10,000 requests in all states to a federation with as many partitions.
func (s *site) fillRequests() {
	s.T.Helper()
	ctx := s.T.Context()
	var err error
	if s.Fed, err = s.Server.Onboarding.Resize(ctx, domain.System, s.Fed.ID, domain.MaxPartitions); err != nil {
		s.T.Fatal(err)
	}
	states := []domain.RequestState{domain.Pending, domain.Approved, domain.Approved, domain.Rejected, domain.Revoked, domain.Withdrawn, domain.Unverified, domain.ExpiredReq}
	random := rand.New(rand.NewPCG(1, 2))
	err = s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
		for i := range manyRequests {
			p := domain.Person{Email: fmt.Sprintf("person%05d@site-%d.example.org", i, i%97), Name: fmt.Sprintf("Person %05d", random.IntN(99_999)), CreatedAt: time.Now()}
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			r := domain.Request{Ref: fmt.Sprintf("B%07d", i), FederationID: s.Fed.ID, PersonID: p.ID, State: states[i%len(states)], Partition: -1,
				Name: p.Name, Organisation: fmt.Sprintf("Hospital %d", random.IntN(300)),
				Email: p.Email, Message: "CT scans of the last ten years, de-identified.", CreatedAt: time.Now(), DecidedAt: time.Now().Add(-time.Duration(random.IntN(1e6)) * time.Second)}
			if r.State == domain.Approved || r.State == domain.Revoked {
				r.Partition = i % (domain.MaxPartitions - 10)
				if r.State == domain.Approved {
					r.Partition += 10
				}
			}
			if err := tx.InsertRequest(ctx, &r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.T.Fatal(err)
	}
}

// BenchmarkRequestsPage tells how long the server takes for the page of 10,000 requests: every tab, order and a search, at the
// first page and deep in the list. The 99th percentile of each is reported; every page is asked for equally often.
func BenchmarkRequestsPage(b *testing.B) {
	onEach(b, (*site).fillRequests, func(b *testing.B, s *site) { s.benchPages(b, s.requestPages(b)) })
}

// onEach measures on a database of each kind that was filled before.
func onEach(b *testing.B, fill func(*site), measure func(*testing.B, *site)) {
	b.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			database := ""
			if name == "postgres" {
				database = storetest.PostgresURL(b)
			}
			s := newSiteWith(b, func(c *config.Config) { c.Database = database })
			fill(s)
			if name == "postgres" {
				analyze(b, database)
			}
			measure(b, s)
		})
	}
}

// analyze does at once what PostgreSQL does by itself within a minute of such a change: without it, it plans for empty tables.
func analyze(b *testing.B, database string) {
	b.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(b.Context(), "VACUUM (ANALYZE)"); err != nil {
		b.Fatal(err)
	}
}

// requestPages are the addresses of the page of requests: each tab, order and search, at the front and deep in the list.
func (s *site) requestPages(b *testing.B) (out []string) {
	for _, state := range []string{"pending", "approved", "rejected", "ended", "unverified", "all"} {
		for _, sort := range domain.RequestSorts {
			for _, search := range []string{"", "site-13", "hospital+2"} {
				base := fmt.Sprintf("/f/fed/requests?state=%s&sort=%s&q=%s", state, sort, search)
				f := domain.RequestFilter{FederationID: s.Fed.ID, Sort: sort, Limit: 500}
				if state != "all" && state != "ended" {
					f.States = []domain.RequestState{domain.RequestState(state)}
				}
				deep, err := s.Server.Onboarding.List(b.Context(), f)
				if err != nil {
					b.Fatal(err)
				}
				out = append(out, base, fmt.Sprintf("%s&after=%d", base, deep[len(deep)-1].ID))
			}
		}
	}
	return out
}
