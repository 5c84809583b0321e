package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Of runs from before participants were kept, the migration keeps who was asked and what came back.
func TestEarlierRunsKeepWhoWasAsked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, p := federation(t, db), person(t, db, "a@example.org")
		run := domain.Run{FederationID: f.ID, Name: "old", State: domain.Completed, AppHash: "h", AppID: "p/n", AppVersion: "1", TotalPartitions: 8, EngineRunID: 5, CreatedAt: now, StartingAt: now, EndedAt: now}
		silent := run
		silent.Name, silent.EngineRunID = "silent", 6
		r := domain.Request{Ref: "A", FederationID: f.ID, PersonID: p.ID, Email: p.Email, State: domain.Approved, Partition: 3, Name: "Ann", CreatedAt: now}
		in(t, db, func(tx *store.Tx) error {
			if err := tx.PutAppVersion(ctx, domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("x")}); err != nil {
				return err
			}
			if err := tx.InsertRequest(ctx, &r); err != nil {
				return err
			}
			if err := tx.InsertNodeKey(ctx, &domain.NodeKey{FederationID: f.ID, RequestID: r.ID, Partition: 3, PublicPEM: []byte("x"), Fingerprint: "ff", NodeID: 7, Via: "agent"}); err != nil {
				return err
			}
			if err := tx.InsertRun(ctx, &run); err != nil {
				return err
			}
			if err := tx.InsertRun(ctx, &silent); err != nil {
				return err
			}
			exchange := func(engine, node uint64, id string, replied time.Time, failed bool) domain.Exchange {
				return domain.Exchange{FederationID: f.ID, EngineRunID: engine, Round: 1, Phase: domain.PhaseTrain, NodeID: node, MessageID: id, AskedAt: now, RepliedAt: replied, Failed: failed}
			}
			return tx.UpsertExchanges(ctx, []domain.Exchange{exchange(5, 7, "a", now.Add(time.Second), false), exchange(5, 7, "b", now.Add(2*time.Second), true), exchange(5, 9, "c", time.Time{}, false), exchange(6, 7, "d", now, true)})
		})
		if err := db.Again(ctx, "20261129022100_run_participant.sql", "DROP TABLE run_participant", "ALTER TABLE run DROP COLUMN asked", "ALTER TABLE run DROP COLUMN contributed", "ALTER TABLE run DROP COLUMN participants_at"); err != nil {
			t.Fatal(err)
		}
		err := db.View(ctx, func(tx *store.Tx) error {
			all, err := tx.RunParticipants(ctx, run.ID)
			if err != nil {
				return err
			}
			var got []string
			for _, p := range all {
				got = append(got, fmt.Sprint(p.Partition, "/", p.Partitions, " ", p.Name, " ", p.NodeID, " ", p.Fingerprint, " ", p.AskedAt.Sub(now), " ", !p.ContributedAt.IsZero(), " ", !p.FailedAt.IsZero()))
			}
			if want := "-1/8  9  0s false false; 3/8 Ann 7 ff 0s true true"; strings.Join(got, "; ") != want {
				t.Errorf("%q, want %q", got, want)
			}
			for name, want := range map[string]domain.Outcome{"old": domain.Contributed, "silent": domain.NothingTrained} {
				if r, err := tx.RunByName(ctx, name); err != nil || r.Outcome() != want || !r.ParticipantsAt.IsZero() {
					t.Errorf("%s: %s, %v", name, r.Outcome(), err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// What a participant sees of runs: what is queued, what began after they were enrolled, and what they took part in.
func TestWhatAParticipantSeesOfRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, who := federation(t, db), person(t, db, "a@example.org")
		hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
		first := domain.Request{Ref: "A", FederationID: f.ID, PersonID: who.ID, Email: who.Email, State: domain.Approved, Partition: 1, Name: "Ann", DecidedAt: hour(2)}
		in(t, db, func(tx *store.Tx) error {
			if err := tx.PutAppVersion(ctx, domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("x"), Config: []domain.ConfigKey{{Key: "lr", Kind: domain.KindFloat, Default: 1.0}}}); err != nil {
				return err
			}
			return tx.InsertRequest(ctx, &first)
		})
		engine := uint64(0)
		run := func(name string, state domain.RunState, created, starting time.Time, tag string) domain.Run {
			t.Helper()
			engine++
			r := domain.Run{FederationID: f.ID, Name: name, State: state, AppHash: "h", AppID: "p/n", AppVersion: "1", TotalPartitions: 8, EngineRunID: engine, CreatedAt: created, StartingAt: starting, ParticipantsAt: starting, Tags: []string{tag}, Config: map[string]any{tag: 1.0}}
			in(t, db, func(tx *store.Tx) error { return tx.InsertRun(ctx, &r) })
			return r
		}
		run("before", domain.Completed, hour(0), hour(1), "hidden")
		enrolled := run("enrolled", domain.Running, hour(1), hour(3), "seen")
		in(t, db, func(tx *store.Tx) error {
			if err := tx.EnrolParticipants(ctx, enrolled, hour(3)); err != nil {
				return err
			}
			first.State, first.DecidedAt = domain.Revoked, hour(4)
			if err := tx.UpdateRequest(ctx, first); err != nil {
				return err
			}
			again := first
			again.Ref, again.State, again.DecidedAt = "B", domain.Approved, hour(6)
			return tx.InsertRequest(ctx, &again)
		})
		run("between", domain.Completed, hour(4), hour(5), "hidden")
		late := run("joined", domain.Running, hour(4), hour(5), "seen")
		run("present", domain.Running, hour(4), hour(5), "hidden") // enrolled during it and never asked
		in(t, db, func(tx *store.Tx) error {
			again, err := tx.LatestRequest(ctx, f.ID, who.ID)
			if err != nil {
				return err
			}
			if err := tx.InsertNodeKey(ctx, &domain.NodeKey{FederationID: f.ID, RequestID: again.ID, Partition: 1, PublicPEM: []byte("x"), Fingerprint: "ff", NodeID: 7, Via: "agent"}); err != nil {
				return err
			}
			if err := tx.UpsertExchanges(ctx, []domain.Exchange{{FederationID: f.ID, EngineRunID: late.EngineRunID, Round: 1, Phase: domain.PhaseTrain, NodeID: 7, MessageID: "m", AskedAt: hour(7)}}); err != nil {
				return err
			}
			present, err := tx.RunByName(ctx, "present")
			if err != nil {
				return err
			}
			if err := tx.FollowParticipants(ctx, present, hour(7)); err != nil {
				return err
			}
			return tx.FollowParticipants(ctx, late, hour(7))
		})
		run("after", domain.Completed, hour(4), hour(8), "seen")
		run("queued", domain.Queued, hour(0), time.Time{}, "seen")
		run("cancelled", domain.Stopped, hour(0), time.Time{}, "hidden")

		want := "queued after joined enrolled"
		err := db.View(ctx, func(tx *store.Tx) error {
			all, err := tx.Runs(ctx, domain.RunFilter{FederationID: f.ID})
			if err != nil {
				return err
			}
			var sees, listed, table, named []string
			for _, r := range all {
				if is, err := tx.SeesRun(ctx, r.ID, who.ID); err != nil {
					return err
				} else if is {
					sees = append(sees, r.Name)
				}
			}
			seen, err := tx.Runs(ctx, domain.RunFilter{FederationID: f.ID, SeenBy: who.ID})
			if err != nil {
				return err
			}
			for _, r := range seen {
				listed = append(listed, r.Name)
			}
			page, err := tx.FindRuns(ctx, domain.RunQuery{FederationID: f.ID, SeenBy: who.ID}, now)
			if err != nil {
				return err
			}
			for _, r := range page.Rows {
				table = append(table, r.Run.Name)
			}
			found, err := tx.RunsNamed(ctx, []int64{f.ID}, who.ID, nil, 50)
			if err != nil {
				return err
			}
			for _, r := range found {
				named = append(named, r.Name)
			}
			for where, got := range map[string][]string{"one by one": sees, "list": listed, "table": table, "search": named} {
				if strings.Join(got, " ") != want {
					t.Errorf("%s: %v, want %s", where, got, want)
				}
			}
			choices, err := tx.RunChoices(ctx, f.ID, who.ID)
			if fmt.Sprint(choices.Tags, choices.Config) != "[seen] [lr seen]" || page.Total != 4 {
				t.Errorf("choices %+v, %d in all", choices, page.Total)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
