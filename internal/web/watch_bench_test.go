package web_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const (
	largePeople = 1000
	largeRounds = 1000
)

// BenchmarkALargeRun measures how long the server takes for the pages of a run of 1,000 participants and 1,000 rounds, and how much
// memory for what is made of all of it: a million exchanges, two million metrics.
func BenchmarkALargeRun(b *testing.B) {
	onEach(b, (*site).largeRun, func(b *testing.B, s *site) {
		const run = "/f/fed/runs/large"
		s.benchReceipt(b)
		s.benchExport(b, run+"/metrics.csv")
		s.benchExport(b, run+"/metrics.json")
		for _, path := range []string{run, run + "/charts.json", run + "/charts.json?rank=low", run + "/charts.json?from=400&to=500&nodes=1000,1001,1500", run + "/charts.json?after=1990000", run + "/rounds", run + "/rounds?round=500&people=20",
			"/f/fed/compare?runs=large,r-1", "/f/fed/compare.json?runs=large,r-1", "/f/fed/runs", "/api/v1/runs/large/rounds/500", "/api/v1/runs/large/traffic", "/api/v1/runs/large/metrics"} {
			b.Run("GET "+path, func(b *testing.B) { s.benchPages(b, []string{path}) })
		}
	})
}

// benchReceipt ends the run and makes its receipt.
func (s *site) benchReceipt(b *testing.B) {
	run, err := s.Server.Runs.ByName(b.Context(), "large")
	if err != nil {
		b.Fatal(err)
	}
	run.State, run.EndedAt = domain.Completed, time.Now()
	if err := s.Server.DB.InTx(b.Context(), func(tx *store.Tx) error { return tx.UpdateRun(b.Context(), run) }); err != nil {
		b.Fatal(err)
	}
	p := newPeak()
	stop := make(chan struct{})
	go p.watch(stop)
	began := time.Now()
	if err := s.Server.Runs.MakeReceipts(b.Context()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	close(stop)
	b.Logf("the receipt is made in %s with %d MB of memory", took.Round(10*time.Millisecond), p.megabytes())
}

// benchExport reads a whole export once and drops it.
func (s *site) benchExport(b *testing.B, path string) {
	handler, err := s.Server.Handler()
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
	r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["manager"]})
	w := &sink{header: http.Header{}, peak: newPeak()}
	began := time.Now()
	handler.ServeHTTP(w, r)
	if w.status > http.StatusOK || w.bytes < 50e6 {
		b.Fatalf("%d, %d bytes", w.status, w.bytes)
	}
	b.Logf("%s: %d MB in %s with %d MB of memory", path, w.bytes/1e6, time.Since(began).Round(10*time.Millisecond), w.peak.megabytes())
}

// peak is how much more memory there was at most than when it was made.
type peak struct{ before, most uint64 }

func newPeak() *peak {
	runtime.GC()
	p := &peak{}
	p.look()
	p.before = p.most
	return p
}

func (p *peak) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.most = max(p.most, m.HeapAlloc)
}

func (p *peak) watch(stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			p.look()
		}
	}
}

func (p *peak) megabytes() uint64 { return (p.most - p.before) / 1e6 }

// sink is an answer that is dropped as it comes.
type sink struct {
	header http.Header
	status int
	bytes  int64
	writes int
	peak   *peak
}

func (w *sink) Header() http.Header    { return w.header }
func (w *sink) WriteHeader(status int) { w.status = status }
func (w *sink) Write(b []byte) (int, error) {
	w.bytes += int64(len(b))
	if w.writes++; w.writes%100 == 0 {
		w.peak.look()
	}
	return len(b), nil
}

// largeRun stores the run "large" as a keeper and the gateway do.
func (s *site) largeRun() {
	ctx := s.T.Context()
	must := func(err error) {
		s.T.Helper()
		if err != nil {
			s.T.Fatal(err)
		}
	}
	run := s.Run
	run.ID, run.Name, run.EngineRunID, run.State, run.Round, run.Rounds = 0, "large", 4242, domain.Queued, largeRounds, largeRounds
	run.CreatedAt = time.Now().Add(-largeRounds * 30 * time.Second)
	run.StartingAt, run.RunningAt, run.EndedAt = run.CreatedAt, run.CreatedAt, time.Time{}
	must(s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
		for i := range largePeople {
			p := domain.Person{Email: fmt.Sprintf("n%d@example.org", i), Name: "N"}
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			r := domain.Request{Ref: fmt.Sprint("N-", i), FederationID: s.Fed.ID, PersonID: p.ID, Email: p.Email, State: domain.Approved,
				Partition: i + 100, Name: "N", CreatedAt: time.Now()}
			if err := tx.InsertRequest(ctx, &r); err != nil {
				return err
			}
			k := domain.NodeKey{FederationID: s.Fed.ID, RequestID: r.ID, Partition: i + 100, PublicPEM: []byte("pem"),
				Fingerprint: fmt.Sprint("f", i), NodeID: uint64(i + 1000), Via: "agent", CreatedAt: time.Now()}
			if err := tx.InsertNodeKey(ctx, &k); err != nil {
				return err
			}
		}
		return tx.InsertRun(ctx, &run)
	}))
	began := time.Now()
	for round := 1; round <= largeRounds; round++ {
		o, seen := s.largeRound(run, round)
		must(s.Server.DB.Record(ctx, o))
		must(s.Server.DB.InTx(ctx, func(tx *store.Tx) error { return tx.SaveTimings(ctx, seen) }))
		if round%100 == 0 {
			s.T.Logf("%d rounds stored in %s", round, time.Since(began).Round(time.Second))
		}
	}
	began = time.Now()
	for more := true; more; {
		must(s.Server.DB.InTx(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.RollUp(ctx, s.Fed.ID, run.EngineRunID, false)
			return err
		}))
	}
	s.T.Logf("rolled up in %s", time.Since(began).Round(time.Second))
}

// largeRound is what is seen of one round; the gateway's times only of the last ones and of one in the middle.
func (s *site) largeRound(run domain.Run, round int) (domain.Observation, []domain.Timing) {
	at := run.CreatedAt.Add(time.Duration(round) * 30 * time.Second)
	o := domain.Observation{FederationID: s.Fed.ID, EngineRunID: run.EngineRunID}
	var seen []domain.Timing
	for i := range largePeople {
		node := uint64(i + 1000)
		e := domain.Exchange{FederationID: s.Fed.ID, EngineRunID: run.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: node,
			MessageID: fmt.Sprint(round, "-", i), ReplyObject: fmt.Sprintf("%064d", i),
			AskedAt: at, RepliedAt: at.Add(time.Duration(i) * 5 * time.Millisecond)}
		o.Exchanges = append(o.Exchanges, e)
		if round > largeRounds-2 || round == largeRounds/2 {
			seen = append(seen, domain.Timing{FederationID: s.Fed.ID, EngineRunID: run.EngineRunID, MessageID: e.MessageID, NodeID: node,
				GetAt: e.AskedAt, GotAt: e.AskedAt.Add(time.Second), PutAt: e.RepliedAt, SentAt: e.RepliedAt, Up: 1, Down: 1})
		}
		for name, v := range map[string]float64{"loss": math.Exp(-float64(round)/200) + float64(i)/1e4, "num-examples": float64(100 + i)} {
			o.Metrics = append(o.Metrics, domain.Metric{FederationID: s.Fed.ID, EngineRunID: run.EngineRunID, Round: round,
				Phase: domain.PhaseTrain, NodeID: node, Name: name, Value: v, At: at})
		}
	}
	return o, seen
}
