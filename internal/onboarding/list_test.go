package onboarding_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Each order, page by page, has every request once and is in order, on both databases.
func TestPagesOfRequestsHaveEachOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 30)
		for i := range 23 {
			email := fmt.Sprintf("p%02d@site%d.example.org", (i*7)%23, i%3)
			if i%4 == 0 {
				w.approved(email)
			} else {
				w.pending(email)
			}
			w.clock.pass(1e9)
		}
		inOrder := map[domain.RequestSort]func(a, b domain.Request) int{
			domain.SortNewest: func(a, b domain.Request) int { return cmp.Compare(b.ID, a.ID) },
			domain.SortOldest: func(a, b domain.Request) int { return cmp.Compare(a.ID, b.ID) },
			domain.SortName: func(a, b domain.Request) int {
				return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
			},
			domain.SortOrganisation: func(a, b domain.Request) int { return strings.Compare(a.Organisation, b.Organisation) },
			domain.SortPartition:    func(a, b domain.Request) int { return cmp.Compare(a.Partition, b.Partition) },
			domain.SortDecided:      func(a, b domain.Request) int { return b.DecidedAt.Compare(a.DecidedAt) },
		}
		for _, sort := range domain.RequestSorts {
			for search, want := range map[string]int{"": 23, "SITE1": 8, "100%": 0} {
				f := domain.RequestFilter{FederationID: w.fed.ID, Sort: sort, Search: search, Limit: 5}
				var all []domain.Request
				for {
					page, err := w.s.List(w.ctx, f)
					if err != nil {
						t.Fatal(err)
					}
					if all = append(all, page...); len(page) < 5 {
						break
					}
					f.AfterID = page[4].ID
				}
				ids := map[int64]bool{}
				for _, r := range all {
					ids[r.ID] = true
				}
				n, err := w.s.CountChosen(w.ctx, f)
				if err != nil || n != want || len(all) != want || len(ids) != want || !slices.IsSortedFunc(all, inOrder[sort]) {
					t.Errorf("%s, search %q: %d rows, %d of them different, %d counted, want %d, in order: %v, %v", sort, search, len(all), len(ids), n, want, slices.IsSortedFunc(all, inOrder[sort]), err)
				}
			}
		}
	})
}
