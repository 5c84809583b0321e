package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// What the overview reads is the same on both databases, and of no federation in which the person has no role.
func TestWhatTheOverviewReads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 25)
		p := domain.Person{Email: "v@example.org", Name: "V", CreatedAt: now}
		in(t, db, func(tx *store.Tx) error {
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			for _, name := range []string{"Ada", "Bo", "Cy", "Di"} {
				who := domain.Person{Email: name + "@example.org", Name: name, CreatedAt: now}
				if err := tx.InsertPerson(ctx, &who); err != nil {
					return err
				}
				r := domain.Request{Ref: name, FederationID: f.ID, PersonID: who.ID, State: domain.Pending, Partition: -1, Name: name, Email: who.Email, CreatedAt: now.Add(-time.Hour)}
				if name == "Di" {
					r.State, r.Partition = domain.Approved, 3
				}
				if err := tx.InsertRequest(ctx, &r); err != nil {
					return err
				}
				if name != "Di" {
					continue
				}
				k := domain.NodeKey{FederationID: f.ID, RequestID: r.ID, Partition: 3, PublicPEM: []byte("pem"), Fingerprint: "overview", Via: "agent", CreatedAt: now}
				if err := tx.InsertNodeKey(ctx, &k); err != nil {
					return err
				}
				if err := tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{k.ID: {FirstAt: now, LastAt: now.Add(time.Minute)}}); err != nil {
					return err
				}
			}
			return tx.InsertMail(ctx, &domain.Mail{To: "a@example.org", Subject: "x", State: domain.MailDead, CreatedAt: now})
		})
		in(t, db, func(tx *store.Tx) error {
			if got, err := tx.Glances(ctx, p.ID, false); err != nil || len(got) != 0 {
				t.Errorf("without a role: %v %v", got, err)
			}
			if err := tx.SetGrantedRole(ctx, p.ID, f.ID, domain.RoleViewer); err != nil {
				return err
			}
			for all, role := range map[bool]domain.Role{false: domain.RoleViewer, true: domain.RoleManager} {
				got, err := tx.Glances(ctx, p.ID, all)
				if err != nil || len(got) != 1 || got[0].Role != role || got[0].Pending != 3 || !got[0].Oldest.Equal(now.Add(-time.Hour)) || got[0].Held != 1 || got[0].Nodes != (domain.NodeCount{Good: 1}) {
					t.Errorf("as %s: %+v %v", role, got, err)
				}
			}
			if got, err := tx.FirstAskers(ctx, []int64{f.ID}, 2); err != nil || strings.Join(got[f.ID], " ") != "Ada Bo" {
				t.Errorf("askers: %v %v", got, err)
			}
			var last domain.Run
			goesOn := 0
			for _, r := range all {
				if r.State.Ended() && (r.EndedAt.After(last.EndedAt) || r.EndedAt.Equal(last.EndedAt) && r.ID > last.ID) {
					last = r
				}
				if r.State == domain.Running {
					goesOn++
				}
			}
			if got, err := tx.LastRuns(ctx); err != nil || len(got) != 1 || got[0].ID != last.ID {
				t.Errorf("the last run: %v %v, want %d", got, err, last.ID)
			}
			if got, err := tx.GoneNodes(ctx); err != nil || len(got) != goesOn || got[0].Partition != 3 {
				t.Errorf("%d SuperNodes are gone: %v, want one of each of %d runs", len(got), err, goesOn)
			}
			if is, err := tx.EverCompleted(ctx); err != nil || !is {
				t.Errorf("no run ever completed: %v", err)
			}
			for since, want := range map[time.Time]int{now.Add(-time.Second): 1, now: 0} {
				if got, err := tx.LostMails(ctx, since); err != nil || got.Mails != want {
					t.Errorf("mails lost since %s: %+v %v", since, got, err)
				}
			}
			failed, err := tx.OpenFailures(ctx, []int64{f.ID}, now.Add(-time.Second), 100)
			for i, r := range failed {
				if r.State != domain.Failed || i > 0 && r.EndedAt.After(failed[i-1].EndedAt) {
					t.Errorf("%d. failure: %s of %s", i, r.State, r.EndedAt)
				}
			}
			if len(failed) == 0 {
				t.Error("no run failed")
			}
			return err
		})
	})
}

// What several runs have is what each has.
func TestOfSeveralRunsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 15)
		var parts []domain.RunPart
		in(t, db, func(tx *store.Tx) error {
			for i, r := range all {
				if r.EngineRunID == 0 {
					continue
				}
				var asked []domain.Exchange
				for round := 1; round <= 3; round++ {
					asked = append(asked, domain.Exchange{FederationID: f.ID, EngineRunID: r.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: 5, MessageID: fmt.Sprint(i, round), AskedAt: now.Add(time.Duration(i*round) * time.Second)})
				}
				if err := tx.UpsertExchanges(ctx, asked); err != nil {
					return err
				}
				if _, err := tx.RollUp(ctx, f.ID, r.EngineRunID, true); err != nil {
					return err
				}
				parts = append(parts, domain.RunPart{Run: r, MetricName: domain.MetricName{Phase: domain.PhaseTrain, Name: "loss"}, From: 2})
			}
			return nil
		})
		in(t, db, func(tx *store.Tx) error {
			for _, some := range [][]domain.RunPart{parts, parts[:1], nil} {
				names, err := tx.NamesOf(ctx, some)
				bands, err2 := tx.BandsOf(ctx, some)
				spans, err3 := tx.SpansOf(ctx, some)
				asked, err4 := tx.AskedOf(ctx, some)
				if err := errors.Join(err, err2, err3, err4); err != nil {
					return err
				}
				if len(spans) != len(some) {
					t.Errorf("%d of %d runs have rounds", len(spans), len(some))
				}
				for _, p := range some {
					wantNames, err := tx.MetricNames(ctx, f.ID, p.Run.EngineRunID)
					wantBands, err2 := tx.Bands(ctx, f.ID, p.Run.EngineRunID, domain.BandQuery{MetricName: p.MetricName, From: p.From})
					wantSpans, err3 := tx.RoundSpans(ctx, f.ID, p.Run.EngineRunID, p.From)
					wantAsked, err4 := tx.NewestExchanges(ctx, f.ID, p.Run.EngineRunID)
					if err := errors.Join(err, err2, err3, err4); err != nil {
						return err
					}
					for what, d := range map[string]string{"names": cmp.Diff(wantNames, names[p.Run.ID]), "bands": cmp.Diff(wantBands, bands[p.Run.ID]), "spans": cmp.Diff(wantSpans, spans[p.Run.ID]), "asked": cmp.Diff(wantAsked, asked[p.Run.ID])} {
						if d != "" {
							t.Errorf("%s of %s: %s", what, p.Run.Name, d)
						}
					}
				}
			}
			return nil
		})
	})
}
