package server

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// fillRuns adds runs of an app with 14 config keys, each with values of so many metrics in every round.
func (s *site) fillRuns(runs, metrics, rounds int) {
	s.t.Helper()
	ctx := s.t.Context()
	random := rand.New(rand.NewPCG(5, 6))
	app := domain.AppVersion{Hash: fmt.Sprintf("%064d", 7), Publisher: "p", Name: "quickstart_digits", Version: "1.2.0", FAB: []byte("y"), CreatedAt: time.Now(),
		Config: []domain.ConfigKey{{Key: "lr", Kind: domain.KindFloat, Default: 0.1}, {Key: "optimizer", Kind: domain.KindString, Default: "sgd"}, {Key: "num-server-rounds", Kind: domain.KindInt, Default: int64(rounds)}}}
	for i := range 11 {
		app.Config = append(app.Config, domain.ConfigKey{Key: fmt.Sprintf("key-%02d", i), Kind: domain.KindInt, Default: int64(i)})
	}
	states := []domain.RunState{domain.Completed, domain.Completed, domain.Completed, domain.Failed, domain.Stopped}
	err := s.app.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.PutAppVersion(ctx, app); err != nil {
			return err
		}
		for i := range runs {
			began := time.Now().Add(-time.Duration(runs-i) * 10 * time.Minute)
			r := domain.Run{FederationID: s.fed.ID, Name: fmt.Sprintf("digits-%d", i+1), State: states[i%len(states)], AppHash: app.Hash, AppID: app.ID(), AppVersion: app.Version, TotalPartitions: 10, EngineRunID: uint64(1000 + i), CreatedBy: "manager",
				Config: map[string]any{"lr": float64(1+random.IntN(5)) / 100, "optimizer": []string{"sgd", "adam", "yogi"}[random.IntN(3)]}, Note: "With more augmentation.", Tags: [][]string{nil, {"sweep"}, {"sweep", "baseline"}}[i%3],
				Rounds: rounds, Round: rounds, CreatedAt: began, StartingAt: began.Add(time.Second), RunningAt: began.Add(3 * time.Second), EndedAt: began.Add(time.Duration(60+random.IntN(240)) * time.Second)}
			if r.State == domain.Failed {
				r.Cause = domain.Cause{Code: "201", ExitCode: 1, Where: "ServerApp", Message: "The ServerApp raised KeyError 'lr', server_app.py:41 (exit code 1).", Remedy: "Fix the app."}
			}
			if err := tx.InsertRun(ctx, &r); err != nil {
				return err
			}
			var ms []domain.Metric
			top := 0.8 + random.Float64()/6
			for round := 1; round <= rounds; round++ {
				x := top - 0.5/math.Sqrt(float64(round)) + random.Float64()/50
				for k := range metrics {
					m := domain.Metric{FederationID: s.fed.ID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseEvaluate, Name: fmt.Sprintf("class-%02d-recall", k), Value: x, At: r.RunningAt.Add(time.Duration(round*5) * time.Second)}
					switch k {
					case 0:
						m.Name = "accuracy"
					case 1:
						m.Phase, m.Name, m.Value = domain.PhaseTrain, "loss", 2*(1-x)
					case 2:
						m.Name, m.Value = "loss", 2.1*(1-x)
					}
					ms = append(ms, m)
				}
			}
			if _, err := tx.InsertMetrics(ctx, ms); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

const (
	manyRuns    = 1000
	manyMetrics = 50
)

// BenchmarkRunsPage tells how long the server takes for the table of 1,000 runs with 50 metrics each: by state, search and tag, in
// every kind of order and grouping, with metric and config columns, at the front and deep in the list.
func BenchmarkRunsPage(b *testing.B) {
	onEach(b, func(s *site) { s.fillRuns(manyRuns, manyMetrics, 2) }, func(b *testing.B, s *site) { s.benchPages(b, s.runPages(b)) })
}

// runPages are addresses of the table of runs.
func (s *site) runPages(b *testing.B) (out []string) {
	columns := "&cols=1&col=config.lr&col=config.optimizer&col=evaluate.accuracy.max&col=evaluate.loss.min&col=train.loss.last&col=evaluate.class-30-recall.last"
	for _, filter := range []string{"", "state=failed", "state=completed&tag=sweep", "q=digits-9"} {
		for _, order := range []string{"", "&sort=name&dir=asc", "&sort=took", "&sort=config.lr&dir=asc", "&sort=evaluate.accuracy.max"} {
			for _, group := range []string{"", "&group=tag", "&group=config.lr"} {
				out = append(out, "/f/fed/runs?"+filter+order+group, "/f/fed/runs?"+filter+order+group+columns)
			}
		}
	}
	for _, order := range []domain.RunOrder{"", "evaluate.accuracy.max"} {
		page, err := s.app.Runs.Find(b.Context(), domain.RunQuery{FederationID: s.fed.ID, Order: order, Limit: 800})
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, fmt.Sprintf("/f/fed/runs?sort=%s&after=%s%s", order, page.Next, columns))
	}
	return out
}

// benchPages asks for every page equally often and reports how long the server takes.
func (s *site) benchPages(b *testing.B, paths []string) {
	handler, err := s.app.Handler()
	if err != nil {
		b.Fatal(err)
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, path := range paths {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
			r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.cookies["manager"]})
			w := httptest.NewRecorder()
			start := time.Now()
			handler.ServeHTTP(w, r)
			took[path] = append(took[path], time.Since(start))
			if w.Code != http.StatusOK {
				b.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	}
	var all []time.Duration
	worst, slowest := time.Duration(0), ""
	for p, ds := range took {
		all = append(all, ds...)
		slices.Sort(ds)
		if m := ds[len(ds)/2]; m > worst {
			worst, slowest = m, p
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(worst.Microseconds())/1000, "slowest-page-ms")
	b.Logf("%d pages of %d; slowest in the median: %s", len(all), len(paths), slowest)
}
