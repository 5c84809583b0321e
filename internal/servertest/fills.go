package servertest

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// FillLog gives the site's run a log of n lines.
func (s *Site) FillLog(n int) {
	s.T.Helper()
	dir := filepath.Join(s.Config.Data, "federations", strconv.FormatInt(s.Fed.ID, 10), "runs", "42")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.T.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "serverapp.log"))
	if err != nil {
		s.T.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(w, "step %07d loss 0.4711 accuracy 0.8712 partition 3 of 10, epoch 2, batch 12 of 40, 0.25 s\n", i)
	}
	if err := w.Flush(); err != nil {
		s.T.Fatal(err)
	}
}

// FillRuns adds runs of an app with 14 config keys, each with values of so many metrics in every round.
func (s *Site) FillRuns(runs, metrics, rounds int) {
	s.T.Helper()
	ctx := s.T.Context()
	random := rand.New(rand.NewPCG(5, 6))
	app := domain.AppVersion{Hash: fmt.Sprintf("%064d", 7), Publisher: "p", Name: "quickstart_digits", Version: "1.2.0", FAB: []byte("y"),
		CreatedAt: time.Now(),
		Config: []domain.ConfigKey{{Key: "lr", Kind: domain.KindFloat, Default: 0.1},
			{Key: "optimizer", Kind: domain.KindString, Default: "sgd"}, {Key: "num-server-rounds", Kind: domain.KindInt, Default: int64(rounds)}}}
	for i := range 11 {
		app.Config = append(app.Config, domain.ConfigKey{Key: fmt.Sprintf("key-%02d", i), Kind: domain.KindInt, Default: int64(i)})
	}
	states := []domain.RunState{domain.Completed, domain.Completed, domain.Completed, domain.Failed, domain.Stopped}
	err := s.Server.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.PutAppVersion(ctx, app); err != nil {
			return err
		}
		for i := range runs {
			began := time.Now().Add(-time.Duration(runs-i) * 10 * time.Minute)
			r := domain.Run{FederationID: s.Fed.ID, Name: fmt.Sprintf("digits-%d", i+1), State: states[i%len(states)], AppHash: app.Hash,
				AppID: app.ID(), AppVersion: app.Version, TotalPartitions: 10, EngineRunID: uint64(1000 + i), CreatedBy: "manager",
				Config: map[string]any{"lr": float64(1+random.IntN(5)) / 100, "optimizer": []string{"sgd", "adam", "yogi"}[random.IntN(3)]},
				Note:   "With more augmentation.", Tags: [][]string{nil, {"sweep"}, {"sweep", "baseline"}}[i%3],
				Rounds: rounds, Round: rounds, CreatedAt: began, StartingAt: began.Add(time.Second), RunningAt: began.Add(3 * time.Second),
				EndedAt: began.Add(time.Duration(60+random.IntN(240)) * time.Second)}
			if r.State == domain.Failed {
				r.Cause = domain.Cause{Code: "201", ExitCode: 1, Where: "ServerApp",
					Message: "The ServerApp raised KeyError 'lr', server_app.py:41 (exit code 1).", Remedy: "Fix the app."}
			}
			if err := tx.InsertRun(ctx, &r); err != nil {
				return err
			}
			var ms []domain.Metric
			top := 0.8 + random.Float64()/6
			for round := 1; round <= rounds; round++ {
				x := top - 0.5/math.Sqrt(float64(round)) + random.Float64()/50
				for k := range metrics {
					m := domain.Metric{FederationID: s.Fed.ID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseEvaluate,
						Name: fmt.Sprintf("class-%02d-recall", k), Value: x, At: r.RunningAt.Add(time.Duration(round*5) * time.Second)}
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
		s.T.Fatal(err)
	}
}

// Listed gives the site's run a list of so many elements that three SuperNodes and the whole federation have in some rounds.
func (s *Site) Listed(rounds, elements int) {
	s.T.Helper()
	for round := 1; round <= rounds; round++ {
		var all []domain.Metric
		for i := range elements {
			v := float64(round)*0.2 + float64(i%5)*0.05
			for node := range uint64(3) {
				all = append(all, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, NodeID: 101 + node,
					Name: domain.ElementName("per_class", i), Value: v + float64(node)/10})
			}
			all = append(all, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, Name: domain.ElementName("per_class", i), Value: v + 0.1})
		}
		s.Observe(s.Server.DB, domain.Observation{Metrics: all})
	}
}
