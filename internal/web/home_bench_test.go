package web_test

import (
	"fmt"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const (
	manyFeds    = 50
	runsOfFeds  = 20 // of each: 1,000 runs
	nodesOfFeds = 8
	asksOfFeds  = 3
	runningNow  = 10
)

// fillFeds makes 50 federations of 8 SuperNodes, 3 requests and 20 runs each, of which some go on and some failed of late.
func (s *site) fillFeds() {
	ctx := s.T.Context()
	for i := range manyFeds - 2 { // two are there
		slug := fmt.Sprintf("fed-%02d", i)
		if _, err := s.Server.Onboarding.CreateFederation(ctx, domain.System,
			domain.Federation{Slug: slug, Name: "Federation " + slug, TotalPartitions: 12}); err != nil {
			s.T.Fatal(err)
		}
	}
	feds, err := s.Server.Onboarding.Federations(ctx)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, f := range feds[:runningNow] {
		s.Server.Manager.Start(f.ID) // else nothing may go on there
	}
	s.Put(func(tx *store.Tx) error {
		for i, f := range feds {
			if err := s.fillFed(tx, i, f); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *site) fillFed(tx *store.Tx, at int, f domain.Federation) error {
	ctx := s.T.Context()
	for i := range nodesOfFeds + asksOfFeds {
		p := domain.Person{Email: fmt.Sprintf("p%d-%d@example.org", at, i), Name: fmt.Sprintf("Person %d of %d", i, at)}
		if err := tx.InsertPerson(ctx, &p); err != nil {
			return err
		}
		r := domain.Request{Ref: fmt.Sprintf("R%d-%d", at, i), FederationID: f.ID, PersonID: p.ID, State: domain.Approved, Partition: i + 2,
			Name: p.Name, Email: p.Email, CreatedAt: s.Now(), VerifiedAt: s.Now().Add(-time.Duration(at) * time.Minute)}
		if i >= nodesOfFeds {
			r.State, r.Partition = domain.Pending, -1
		}
		if err := tx.InsertRequest(ctx, &r); err != nil {
			return err
		}
		if r.State == domain.Pending {
			continue
		}
		k := domain.NodeKey{FederationID: f.ID, RequestID: r.ID, Partition: r.Partition, PublicPEM: []byte("pem"),
			Fingerprint: fmt.Sprint("f", at, "-", i), NodeID: uint64(i + 1), Via: "agent", CreatedAt: s.Now()}
		if err := tx.InsertNodeKey(ctx, &k); err != nil {
			return err
		}
		if err := tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{k.ID: {FirstAt: s.Now(), LastAt: s.Now(), Online: i > 0}}); err != nil {
			return err
		}
	}
	for i := range runsOfFeds {
		began := s.Now().Add(-time.Duration(runsOfFeds-i) * time.Hour)
		r := domain.Run{FederationID: f.ID, Name: fmt.Sprintf("run-%d-%d", at, i), State: domain.Completed, AppHash: s.Run.AppHash,
			AppID: s.Run.AppID, AppVersion: "1.0.0", TotalPartitions: 12, EngineRunID: uint64(1000 + i),
			Config: map[string]any{"lr": 0.1, "optimizer": "adam"}, Tags: []string{"sweep"}, Rounds: 10, Round: 10, CreatedAt: began, StartingAt: began, RunningAt: began, EndedAt: began.Add(10 * time.Minute)}
		switch {
		case i == runsOfFeds-1 && at < runningNow:
			r.State, r.Round, r.EndedAt = domain.Running, 6, time.Time{}
		case i == runsOfFeds-1 && at < 2*runningNow:
			r.State, r.Cause = domain.Failed, domain.Cause{Code: "607", Message: "Partition 3 cannot import torch."}
		}
		if err := tx.InsertRun(ctx, &r); err != nil {
			return err
		}
		if r.State != domain.Running {
			continue
		}
		if err := s.fillRounds(tx, r); err != nil {
			return err
		}
	}
	return nil
}

// fillRounds gives a run what its SuperNodes were asked and replied so far.
func (s *site) fillRounds(tx *store.Tx, r domain.Run) error {
	ctx := s.T.Context()
	var metrics []domain.Metric
	for round := 1; round <= r.Round; round++ {
		at := s.Now().Add(time.Duration(round-r.Round) * 10 * time.Second)
		var asked []domain.Exchange
		for node := range uint64(nodesOfFeds) {
			e := domain.Exchange{FederationID: r.FederationID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: node + 1, MessageID: fmt.Sprint(r.Name, round, node), AskedAt: at, RepliedAt: at.Add(5 * time.Second)}
			if round == r.Round {
				e.RepliedAt = time.Time{}
			}
			asked = append(asked, e)
			for _, name := range []string{"loss", "accuracy", "num-examples"} {
				metrics = append(metrics, domain.Metric{FederationID: r.FederationID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseEvaluate, NodeID: node + 1, Name: name, Value: float64(round) / 10, At: at})
			}
		}
		if err := tx.UpsertExchanges(ctx, asked); err != nil {
			return err
		}
	}
	if _, err := tx.InsertMetrics(ctx, metrics); err != nil {
		return err
	}
	_, err := tx.RollUp(ctx, r.FederationID, r.EngineRunID, true)
	return err
}

// BenchmarkOverview tells how long the server takes for the overview of an admin with 50 federations and 1,000 runs, of which 10 go on.
func BenchmarkOverview(b *testing.B) {
	onEach(b, (*site).fillFeds, func(b *testing.B, s *site) {
		s.Cookies["manager"] = s.Cookies["admin"] // who the pages are asked for by
		s.benchPages(b, []string{"/"})
	})
}
