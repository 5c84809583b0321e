package onboarding_test

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
			if _, err := s.Server.Onboarding.Resize(t.Context(), domain.System, s.Fed.ID, crowd+10); err != nil {
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
						pending, err := s.Server.Onboarding.List(t.Context(), domain.RequestFilter{FederationID: s.Fed.ID,
							States: []domain.RequestState{domain.Pending}, Sort: domain.SortOldest, Limit: 20})
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
							if a := s.Post("manager", "/f/fed/requests/approve", "id", fmt.Sprint(r.ID)); a.Status != http.StatusSeeOther &&
								a.Status != http.StatusConflict {
								t.Errorf("approving: %d %s", a.Status, a.Body)
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
	a := s.Send("stranger", http.MethodPost, "/join/fed", map[string][]string{"email": {email}, "name": {email}}, from)
	if a.Status != http.StatusSeeOther {
		s.T.Errorf("%s asks: %d", email, a.Status)
		return
	}
	m := codeLink.FindStringSubmatch(s.Mailed(email).Text)
	if a := s.Send("stranger", http.MethodPost, "/verify", map[string][]string{"ref": {m[1]}, "code": {m[2]}},
		from); a.Status != http.StatusSeeOther {
		s.T.Errorf("%s confirms: %d", email, a.Status)
	}
}

func (s *site) checkCrowd(crowd int) {
	s.T.Helper()
	holders, err := s.Server.Onboarding.Holders(s.T.Context(), s.Fed.ID)
	if err != nil || len(holders) != crowd+2 { // one was there before, one waited
		s.T.Fatalf("%d partitions are held, want %d: %v", len(holders), crowd+2, err)
	}
	people := map[int64]bool{}
	for p, r := range holders {
		if people[r.PersonID] || r.Partition != p || p > crowd+1 {
			s.T.Errorf("partition %d: %s has two, or one that was not next", p, r.Email)
		}
		people[r.PersonID] = true
		if !strings.HasPrefix(r.Email, "crowd") {
			continue
		}
		var steps []string
		err := s.Server.DB.View(s.T.Context(), func(tx *store.Tx) error {
			es, err := tx.AuditEntries(s.T.Context(), domain.AuditFilter{ObjectKind: "request", ObjectID: r.Ref, Limit: 50})
			for _, e := range es {
				steps = append(steps, e.Action)
			}
			return err
		})
		if got := strings.Join(steps, " "); err != nil || got != "request.approved request.pending request.unverified" {
			s.T.Errorf("%s: audited %q, %v", r.Email, got, err)
		}
	}
}
