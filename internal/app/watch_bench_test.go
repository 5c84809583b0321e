package app

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// BenchmarkALargeRun measures the pages of a run of 1,000 participants and 1,000 rounds: 3 million metrics, 2 million exchanges.
func BenchmarkALargeRun(b *testing.B) {
	s := newSite(b)
	const people, rounds = 1000, 1000
	s.largeRun(people, rounds)
	for _, path := range []string{"", "/charts.json", "/charts.json?rank=low", "/charts.json?from=400&to=500", "/rounds", "/rounds?round=500&people=20"} {
		b.Run("GET "+path, func(b *testing.B) {
			for b.Loop() {
				if a := s.get("manager", "/f/fed/runs/r-1"+path); a.status != http.StatusOK {
					b.Fatal(a.status, a.body)
				}
			}
		})
	}
}

// largeRun fills the site's run.
func (s *site) largeRun(people, rounds int) {
	ctx := s.t.Context()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(s.app.db.InTx(ctx, func(tx *store.Tx) error {
		for i := range people {
			p := domain.Person{Email: fmt.Sprintf("n%d@example.org", i), Name: "N"}
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			r := domain.Request{Ref: fmt.Sprint("N-", i), FederationID: s.fed.ID, PersonID: p.ID, Email: p.Email, State: domain.Approved, Partition: i + 100, Name: "N", CreatedAt: time.Now()}
			if err := tx.InsertRequest(ctx, &r); err != nil {
				return err
			}
			k := domain.NodeKey{FederationID: s.fed.ID, RequestID: r.ID, Partition: i + 100, PublicPEM: []byte("pem"), Fingerprint: fmt.Sprint("f", i), NodeID: uint64(i + 1000), Via: "agent", CreatedAt: time.Now()}
			if err := tx.InsertNodeKey(ctx, &k); err != nil {
				return err
			}
		}
		run := s.run
		run.Round, run.Rounds = rounds, rounds
		return tx.UpdateRun(ctx, run)
	}))
	start := time.Now().Add(-time.Duration(rounds) * 30 * time.Second)
	for round := 1; round <= rounds; round++ {
		at := start.Add(time.Duration(round) * 30 * time.Second)
		o := domain.Observation{FederationID: s.fed.ID, EngineRunID: s.run.EngineRunID}
		var seen []domain.Timing
		for i := range people {
			node := uint64(i + 1000)
			for phase, wait := range map[domain.Phase]time.Duration{domain.PhaseTrain: 0, domain.PhaseEvaluate: 20 * time.Second} {
				e := domain.Exchange{FederationID: s.fed.ID, EngineRunID: s.run.EngineRunID, Round: round, Phase: phase, NodeID: node, MessageID: fmt.Sprint(phase, round, "-", i), AskedAt: at.Add(wait), RepliedAt: at.Add(wait + time.Duration(i)*5*time.Millisecond)}
				o.Exchanges = append(o.Exchanges, e)
				if round > rounds-2 {
					seen = append(seen, domain.Timing{FederationID: s.fed.ID, EngineRunID: s.run.EngineRunID, MessageID: e.MessageID, NodeID: node, GetAt: e.AskedAt, GotAt: e.AskedAt.Add(time.Second), PutAt: e.RepliedAt, SentAt: e.RepliedAt, Up: 1, Down: 1})
				}
			}
			for name, v := range map[string]float64{"train_loss": math.Exp(-float64(round)/200) + float64(i)/1e4, "num-examples": float64(100 + i)} {
				o.Metrics = append(o.Metrics, domain.Metric{FederationID: s.fed.ID, EngineRunID: s.run.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: node, Name: name, Value: v, At: at})
			}
			o.Metrics = append(o.Metrics, domain.Metric{FederationID: s.fed.ID, EngineRunID: s.run.EngineRunID, Round: round, Phase: domain.PhaseEvaluate, NodeID: node, Name: "accuracy", Value: 1 - float64(i)/float64(round*people), At: at})
		}
		must(s.app.db.Record(ctx, o))
		must(s.app.db.InTx(ctx, func(tx *store.Tx) error { return tx.SaveTimings(ctx, seen) }))
	}
	began := time.Now()
	for more := true; more; {
		must(s.app.db.InTx(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.RollUp(ctx, s.fed.ID, s.run.EngineRunID, false)
			return err
		}))
	}
	s.t.Logf("rolled up in %s", time.Since(began).Round(time.Second))
}
