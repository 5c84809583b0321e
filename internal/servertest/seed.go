package servertest

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Put adds rows to the site's database.
func (s *Site) Put(fn func(tx *store.Tx) error) {
	s.T.Helper()
	if err := s.Server.DB.InTx(s.T.Context(), fn); err != nil {
		s.T.Fatal(err)
	}
}

// Observe stores an observation of the site's run, as its keeper does.
func (s *Site) Observe(db *store.DB, o domain.Observation) {
	s.T.Helper()
	o.FederationID, o.EngineRunID = s.Fed.ID, s.Run.EngineRunID
	for i := range o.Metrics {
		o.Metrics[i].FederationID, o.Metrics[i].EngineRunID = o.FederationID, o.EngineRunID
	}
	for i := range o.Exchanges {
		o.Exchanges[i].FederationID, o.Exchanges[i].EngineRunID = o.FederationID, o.EngineRunID
	}
	if err := db.Record(s.T.Context(), o); err != nil {
		s.T.Fatal(err)
	}
}

// Enrol gives the approved participant a SuperNode.
func (s *Site) Enrol(node uint64) {
	s.T.Helper()
	k := domain.NodeKey{FederationID: s.Fed.ID, RequestID: s.Kept.ID, Partition: 0, PublicPEM: []byte("pem"), Fingerprint: "f", NodeID: node,
		Via: "agent", CreatedAt: time.Now()}
	if err := s.Server.DB.InTx(s.T.Context(), func(tx *store.Tx) error { return tx.InsertNodeKey(s.T.Context(), &k) }); err != nil {
		s.T.Fatal(err)
	}
}

// Mailed returns the newest mail to an address, once there is one: it is written after the answer.
func (s *Site) Mailed(to string) domain.Mail {
	s.T.Helper()
	if err := s.Server.Onboarding.SettleAsks(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	for by := time.Now().Add(10 * time.Second); time.Now().Before(by); {
		var all []domain.Mail
		if err := s.Server.DB.View(s.T.Context(), func(tx *store.Tx) (err error) {
			all,
				err = tx.Mails(s.T.Context(), 0, 500)
			return err
		}); err != nil {
			s.T.Fatal(err)
		}
		for _, m := range all {
			if m.To == to {
				return m
			}
		}
	}
	s.T.Fatalf("no mail to %s", to)
	return domain.Mail{}
}

// Took makes a run that began now, in which the SuperNodes of some replies were asked, and that has completed. A reply is "ok", "" for
// none, or an error.
func (s *Site) Took(name string, engine uint64, replies map[uint64]string) domain.Run {
	s.T.Helper()
	return s.TookWith(name, engine, replies, func(*domain.Run) {})
}

// TookWith is [Site.Took] with a run that a test changes before it is stored.
func (s *Site) TookWith(name string, engine uint64, replies map[uint64]string, change func(*domain.Run)) domain.Run {
	s.T.Helper()
	ctx, now := s.T.Context(), s.Now()
	run := domain.Run{FederationID: s.Fed.ID, Name: name, State: domain.Completed, AppHash: s.Run.AppHash, AppID: s.Run.AppID,
		AppVersion: "1.0.0", TotalPartitions: 10, EngineRunID: engine,
		CreatedAt: now, StartingAt: now, ParticipantsAt: now, EndedAt: now.Add(2 * time.Second)}
	change(&run)
	s.Put(func(tx *store.Tx) error {
		if err := tx.InsertRun(ctx, &run); err != nil {
			return err
		}
		if err := tx.EnrolParticipants(ctx, run, now); err != nil {
			return err
		}
		var es []domain.Exchange
		for node, reply := range replies {
			e := domain.Exchange{FederationID: s.Fed.ID, EngineRunID: engine, Round: 1, Phase: domain.PhaseTrain, NodeID: node,
				MessageID: fmt.Sprint(name, node), AskedAt: now}
			if reply != "" {
				e.RepliedAt = now.Add(time.Second)
			}
			if reply != "" && reply != "ok" {
				e.Failed, e.Error = true, reply
			}
			es = append(es, e)
		}
		if err := tx.UpsertExchanges(ctx, es); err != nil {
			return err
		}
		if _, err := tx.InsertMetrics(ctx, []domain.Metric{{FederationID: s.Fed.ID, EngineRunID: engine, Round: 1, Phase: domain.PhaseTrain,
			NodeID: 7, Name: "loss", Value: 0.5, At: now}}); err != nil {
			return err
		}
		var err error
		if run.Asked, run.Contributed, err = tx.SettleParticipants(ctx, run, now); err != nil {
			return err
		}
		return tx.UpdateRun(ctx, run)
	})
	return run
}

// Wrote puts files into the working directory of the site's run, as a ServerApp does.
func (s *Site) Wrote(files map[string]string) string {
	s.T.Helper()
	dir := s.Server.Runs.Engine.WorkDir(s.Fed.ID, s.Run.EngineRunID)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			s.T.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			s.T.Fatal(err)
		}
	}
	return dir
}
