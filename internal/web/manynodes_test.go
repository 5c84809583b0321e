package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// fillNodes makes the federation one of 10,000 partitions, some of them with participants: most SuperNodes are online, and there are
// some of every other status.
func (s *site) fillNodes(from, to int) {
	s.T.Helper()
	ctx := s.T.Context()
	var err error
	if s.Fed, err = s.Server.Onboarding.Resize(ctx, domain.System, s.Fed.ID, domain.MaxPartitions); err != nil {
		s.T.Fatal(err)
	}
	for ; from < to; from += 500 { // a transaction has a minute
		s.Put(func(tx *store.Tx) error {
			for i := from; i < min(from+500, to); i++ {
				if err := s.fillNode(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (s *site) fillNode(tx *store.Tx, i int) error {
	ctx := s.T.Context()
	p := domain.Person{Email: fmt.Sprintf("node%05d@site-%d.example.org", i, i%97), Name: fmt.Sprintf("Person %05d", (i*7919)%100_000),
		CreatedAt: s.Now()}
	if err := tx.InsertPerson(ctx, &p); err != nil {
		return err
	}
	r := domain.Request{Ref: fmt.Sprintf("N%07d", i), FederationID: s.Fed.ID, PersonID: p.ID, State: domain.Approved, Partition: i,
		Name: p.Name, Organisation: fmt.Sprintf("Hospital %d", i%300),
		Email: p.Email, Message: "CT scans of the last ten years, de-identified.", CreatedAt: s.Now(), DecidedAt: s.Now()}
	if err := tx.InsertRequest(ctx, &r); err != nil || i%40 == 1 {
		return err
	}
	k := domain.NodeKey{FederationID: s.Fed.ID, RequestID: r.ID, Partition: i,
		PublicPEM: fmt.Appendf(nil, "-----BEGIN PUBLIC KEY-----\n%0178d\n-----END PUBLIC KEY-----\n", i), Fingerprint: fmt.Sprintf("%064x", i),
		NodeID: uint64(i), Via: "agent", CreatedAt: s.Now()}
	if err := tx.InsertNodeKey(ctx, &k); err != nil || i%40 == 2 {
		return err
	}
	seen := domain.NodeSeen{FirstAt: s.Now().Add(-time.Hour), LastAt: s.Now().Add(-time.Duration(i%30) * time.Second), Online: i%20 != 3,
		BytesIn: int64(i) * 1000, BytesOut: int64(i) * 3000, Flwr: "1.42.0", Agent: "1.0.0", Python: "3.11.7"}
	if i%500 == 4 {
		seen.Stuck = domain.StuckWaiting
	}
	if err := tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{k.ID: seen}); err != nil || i%400 != 5 {
		return err
	}
	k.SuspendedAt, k.Reason = s.Now(), "moving servers"
	return tx.UpdateNodeKey(ctx, k)
}

// nodePages are the pages that show the SuperNodes of a federation.
var nodePages = []string{"/f/fed/nodes", "/f/fed/nodes?state=offline&sort=latest", "/f/fed/nodes?q=hospital+2", "/f/fed", "/f/fed/launch",
	"/f/fed/runs/all", "/f/fed/logs", "/"}

// rerun enrols all participants that there are now in the run "all".
func (s *site) rerun() {
	s.T.Helper()
	run, err := s.Server.Runs.ByName(s.T.Context(), "all")
	if err != nil {
		s.T.Fatal(err)
	}
	s.Put(func(tx *store.Tx) error { return tx.EnrolParticipants(s.T.Context(), run, run.StartingAt) })
}

// What a page of SuperNodes holds, and what is read for it, does not grow with their number.
func TestPagesDoNotGrowWithTheNodes(t *testing.T) {
	s := newSite(t)
	s.Server.Manager.Start(s.Fed.ID) // else the board says little
	s.fillNodes(1, 1200)             // partition 0 is the fixture's
	s.Took("all", 101, nil)
	few := map[string]int{}
	for _, path := range nodePages {
		_, few[path] = s.cost(path)
	}
	s.fillNodes(1200, domain.MaxPartitions)
	s.rerun()
	for _, path := range nodePages {
		size, made := s.cost(path)
		if size > 30_000 {
			t.Errorf("%s has %d bytes compressed", path, size)
		}
		if made > few[path]*2 && !strings.Contains(path, "q=") { // a search looks at all
			t.Errorf("%s allocates %d times with 10,000 SuperNodes, %d with 1,200", path, made, few[path])
		}
	}
	page := s.Get("manager", "/f/fed/nodes").Body
	for _, words := range []string{"All <b>10000</b>", "Offline <b>", "Stuck <b>20</b>", "Suspended <b>25</b>", "Not connected yet <b>2",
		"Next 50"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}

// cost is the size of a page, compressed, and how often memory is allocated for it: once at least for each row that is read.
func (s *site) cost(path string) (size, allocations int) {
	s.T.Helper()
	handler, err := s.Server.Handler()
	if err != nil {
		s.T.Fatal(err)
	}
	allocations = 1 << 30
	for range 3 { // the least: other work of the server counts too
		r := httptest.NewRequestWithContext(s.T.Context(), http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["manager"]})
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		handler.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if w.Code != http.StatusOK {
			s.T.Fatalf("%s: %d", path, w.Code)
		}
		size, allocations = w.Body.Len(), min(allocations, int(after.Mallocs-before.Mallocs))
	}
	return size, allocations
}

// A page of logs lists some of the SuperNodes that share theirs; the others are on further pages, and each log opens by its own address.
func TestLogsOfManyNodesArePaged(t *testing.T) {
	onBoth(t, func(s *site) {
		s.fillNodes(1, 120)
		keys, err := s.Server.Onboarding.NodeKeys(t.Context(), s.Fed.ID)
		if err != nil {
			t.Fatal(err)
		}
		shared := 0
		s.Put(func(tx *store.Tx) error {
			for _, k := range keys {
				if !k.RevokedAt.IsZero() || k.Partition == 0 {
					continue
				}
				shared++
				if err := tx.UpdateNodeMachine(t.Context(), k.ID, domain.NodeSeen{SharesLogs: true}); err != nil {
					return err
				}
			}
			return nil
		})
		chip, more := regexp.MustCompile(`part=node-(\d+-\d+-supernode)"`), regexp.MustCompile(`href="([^"]*/logs\?from=\d+)"`)
		seen := map[string]bool{}
		for path, pages := "/f/fed/logs", 0; path != ""; pages++ {
			page := s.Get("manager", path).Body
			found := chip.FindAllStringSubmatch(page, -1)
			if len(found) > 50 || pages > 5 {
				t.Fatalf("%s lists %d SuperNodes", path, len(found))
			}
			for _, m := range found {
				seen[m[1]] = true
			}
			if path = ""; more.MatchString(page) {
				path = html.UnescapeString(more.FindStringSubmatch(page)[1])
			}
		}
		if len(seen) != shared || shared < 100 {
			t.Errorf("%d of %d SuperNodes are listed", len(seen), shared)
		}
		last := slices.MaxFunc(keys, func(a, b domain.NodeKey) int { return a.Partition - b.Partition })
		key := fmt.Sprintf("node-%d-%d-supernode", last.Partition, last.ID)
		if page := s.Get("manager", "/f/fed/logs?part="+key).Body; !strings.Contains(page, "/f/fed/logs/"+key) {
			t.Error("the log of the last SuperNode does not open by its address")
		}
	})
}
