package overview_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/overview"
	"blossomtune/internal/runs"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// waiting says of every run that it waits in vain since a moment.
type waiting struct{ since time.Time }

func (w waiting) Progress(_ context.Context, all []domain.Run) ([]runs.Progress, error) {
	out := make([]runs.Progress, len(all))
	for i := range out {
		out[i].Wait = runs.Wait{What: "waits for 2 SuperNodes, 1 online", Since: w.since, Late: true}
	}
	return out, nil
}

// A SuperLink that failed comes before all else, then what waits longest; a run whose SuperLink is down is no need of its own. Who only
// looks is told that it is down, but is not needed.
func TestNeedsComeInTheirOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, now := t.Context(), time.Now().UTC()
		viewer := domain.Person{Email: "v@example.org", Name: "V", CreatedAt: now}
		feds := map[string]int64{}
		err := db.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertPerson(ctx, &viewer); err != nil {
				return err
			}
			if err := tx.PutAppVersion(ctx, domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("fab"), CreatedAt: now}); err != nil {
				return err
			}
			for i, slug := range []string{"down", "up"} {
				f := domain.Federation{Slug: slug, Name: slug, TotalPartitions: 2, CreatedAt: now}
				if err := tx.InsertFederation(ctx, &f); err != nil {
					return err
				}
				feds[slug] = f.ID
				r := domain.Run{FederationID: f.ID, Name: "run-" + slug, State: domain.Running, AppHash: "h", AppID: "p/n", AppVersion: "1", EngineRunID: uint64(i + 1), CreatedAt: now, StartingAt: now}
				if err := tx.InsertRun(ctx, &r); err != nil {
					return err
				}
				if err := tx.SetGrantedRole(ctx, viewer.ID, f.ID, domain.RoleViewer); err != nil {
					return err
				}
			}
			q := domain.Request{Ref: "Q", FederationID: feds["up"], PersonID: viewer.ID, State: domain.Pending, Partition: -1, Name: "V", Email: viewer.Email, CreatedAt: now.Add(-2 * time.Hour)}
			return tx.InsertRequest(ctx, &q)
		})
		if err != nil {
			t.Fatal(err)
		}
		s := overview.New(overview.Options{Store: store.Adapt[overview.Tx](db), Runs: waiting{now.Add(-time.Hour)}, Clock: func() time.Time { return now }, Status: func(id int64) domain.SuperLink {
			if id == feds["down"] {
				return domain.SuperLink{State: domain.SuperLinkFailed, Since: now, Reason: "The port is taken."}
			}
			return domain.SuperLink{State: domain.SuperLinkUp, Since: now}
		}})
		for want, who := range map[string]domain.Person{"superlink down, requests up, run up": {Admin: true}, "": viewer} {
			o, err := s.Look(ctx, who)
			var got []string
			for _, n := range o.Needs {
				got = append(got, fmt.Sprint(n.Kind, " ", n.Fed.Slug))
			}
			if err != nil || strings.Join(got, ", ") != want || o.Down != 1 || len(o.Running) != 2 {
				t.Errorf("needs are %v, want %s; %d SuperLinks down, %d running: %v", got, want, o.Down, len(o.Running), err)
			}
		}
	})
}
