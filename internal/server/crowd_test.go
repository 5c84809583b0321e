package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// 200 people ask, enter their codes and are approved at once by several managers, through the real server, on both databases: no
// partition twice, nobody lost, each step audited once.
func TestTwoHundredPeopleAtOnce(t *testing.T) {
	const crowd, managers = 200, 4
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			s := newSiteWith(t, func(c *config.Config) {
				c.BehindProxy = true // each has an address of their own
				if database == "postgres" {
					c.Database = storetest.PostgresURL(t)
				}
			})
			if _, err := s.app.Onboarding.Resize(t.Context(), domain.System, s.fed.ID, crowd+10); err != nil {
				t.Fatal(err)
			}
			var confirmed sync.WaitGroup
			var done atomic.Bool
			for i := range crowd {
				confirmed.Go(func() { s.crowdAsks(i) })
			}
			var approving sync.WaitGroup
			for range managers {
				approving.Go(func() {
					for last := false; ; {
						pending, err := s.app.Onboarding.List(t.Context(), domain.RequestFilter{FederationID: s.fed.ID, States: []domain.RequestState{domain.Pending}, Sort: domain.SortOldest, Limit: 20})
						if err != nil {
							t.Error(err)
							return
						}
						if len(pending) == 0 && last {
							return
						}
						last = done.Load()
						for _, r := range pending {
							// 409: another manager was faster.
							if a := s.post("manager", "/f/fed/requests/approve", "id", fmt.Sprint(r.ID)); a.status != http.StatusSeeOther && a.status != http.StatusConflict {
								t.Errorf("approving: %d %s", a.status, a.body)
							}
						}
					}
				})
			}
			confirmed.Wait()
			done.Store(true)
			approving.Wait()
			s.checkCrowd(crowd)
		})
	}
}

func (s *site) crowdAsks(i int) {
	email := fmt.Sprintf("crowd%03d@example.org", i)
	from := func(r *http.Request) { r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i%250)) }
	a := s.send("stranger", http.MethodPost, "/join/fed", map[string][]string{"email": {email}, "name": {email}}, from)
	if a.status != http.StatusSeeOther {
		s.t.Errorf("%s asks: %d", email, a.status)
		return
	}
	m := codeLink.FindStringSubmatch(s.mailed(email).Text)
	if a := s.send("stranger", http.MethodPost, "/verify", map[string][]string{"ref": {m[1]}, "code": {m[2]}}, from); a.status != http.StatusSeeOther {
		s.t.Errorf("%s confirms: %d", email, a.status)
	}
}

func (s *site) checkCrowd(crowd int) {
	s.t.Helper()
	holders, err := s.app.Onboarding.Holders(s.t.Context(), s.fed.ID)
	if err != nil || len(holders) != crowd+2 { // one was there before, one waited
		s.t.Fatalf("%d partitions are held, want %d: %v", len(holders), crowd+2, err)
	}
	people := map[int64]bool{}
	for p, r := range holders {
		if people[r.PersonID] || r.Partition != p || p > crowd+1 {
			s.t.Errorf("partition %d: %s has two, or one that was not next", p, r.Email)
		}
		people[r.PersonID] = true
		if !strings.HasPrefix(r.Email, "crowd") {
			continue
		}
		var steps []string
		err := s.app.DB.View(s.t.Context(), func(tx *store.Tx) error {
			es, err := tx.AuditEntries(s.t.Context(), domain.AuditFilter{ObjectKind: "request", ObjectID: r.Ref, Limit: 50})
			for _, e := range es {
				steps = append(steps, e.Action)
			}
			return err
		})
		if got := strings.Join(steps, " "); err != nil || got != "request.approved request.pending request.unverified" {
			s.t.Errorf("%s: audited %q, %v", r.Email, got, err)
		}
	}
}
