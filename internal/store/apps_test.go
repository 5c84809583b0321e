package store_test

import (
	"errors"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func TestAppsByWhomTheyConcern(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := federation(t, db)
		other := domain.Federation{Slug: "other", Name: "Other", TotalPartitions: 2, CreatedAt: now}
		holder, viewer, stranger := person(t, db, "h@example.org"), person(t, db, "v@example.org"), person(t, db, "s@example.org")
		in(t, db, func(tx *store.Tx) error {
			if err := tx.InsertFederation(ctx, &other); err != nil {
				return err
			}
			r := domain.Request{Ref: "AAAA-BBBB", FederationID: f.ID, PersonID: holder.ID, Email: holder.Email, State: domain.Approved, Partition: 0, Name: "N", CreatedAt: now}
			asked := domain.Request{Ref: "CCCC-DDDD", FederationID: f.ID, PersonID: stranger.ID, Email: stranger.Email, State: domain.Pending, Partition: -1, Name: "N", CreatedAt: now}
			err := errors.Join(tx.InsertRequest(ctx, &r), tx.InsertRequest(ctx, &asked), tx.SetGrantedRole(ctx, viewer.ID, other.ID, domain.RoleViewer))
			for _, a := range []string{"aaaaaaaa1", "aaaaaaaa2", "bbbbbbbb"} {
				err = errors.Join(err, tx.PutAppVersion(ctx, domain.AppVersion{Hash: a, Publisher: "p", Name: "n", Version: "1", FAB: []byte("x"), CreatedAt: now}))
			}
			for i, run := range []domain.Run{{FederationID: f.ID, AppHash: "aaaaaaaa1"}, {FederationID: f.ID, AppHash: "aaaaaaaa1"}, {FederationID: other.ID, AppHash: "aaaaaaaa2"}} {
				run.Name, run.State, run.CreatedAt = string(rune('a'+i)), domain.Queued, now
				err = errors.Join(err, tx.InsertRun(ctx, &run))
			}
			return err
		})
		in(t, db, func(tx *store.Tx) error {
			own, err := tx.AppsOfHolder(ctx, holder.ID)
			none, err2 := tx.AppsOfHolder(ctx, stranger.ID)
			role, err3 := tx.HighestGrant(ctx, viewer.ID)
			no, err4 := tx.HighestGrant(ctx, holder.ID)
			if !cmp.Equal(own, []string{"aaaaaaaa1"}) || len(none) != 0 || role != domain.RoleViewer || no != domain.RoleNone {
				t.Errorf("%v %v %s %s", own, none, role, no)
			}
			uses, err5 := tx.AppUses(ctx, holder.ID, false)
			if u := uses["aaaaaaaa1"]; len(uses) != 1 || u.Runs != 2 || u.Newest.Name != "b" || u.Federation.Slug != "cardio" {
				t.Errorf("%+v", uses)
			}
			all, err6 := tx.AppUses(ctx, stranger.ID, true)
			if len(all) != 2 {
				t.Errorf("%+v", all)
			}
			runs, err7 := tx.RunsOfApp(ctx, "aaaaaaaa2", holder.ID, false, 10)
			seen, err8 := tx.RunsOfApp(ctx, "aaaaaaaa2", viewer.ID, false, 10)
			if len(runs) != 0 || len(seen) != 1 || seen[0].Newest.Name != "c" {
				t.Errorf("%+v %+v", runs, seen)
			}
			by, err9 := tx.AppVersionsByPrefix(ctx, "p", "n", "aaaaaaaa")
			if len(by) != 2 {
				t.Errorf("%+v", by)
			}
			return errors.Join(err, err2, err3, err4, err5, err6, err7, err8, err9)
		})
	})
}

func TestOriginsAndPresetsOfApps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in(t, db, func(tx *store.Tx) error {
			err := tx.PutAppVersion(ctx, domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("x"), CreatedAt: now})
			o := domain.AppOrigin{Hash: "h", Kind: domain.OriginGit, Place: "https://git.example.org/r", Ref: "main", Commit: "c", Folder: "f", By: "Ada", At: now}
			first, err1 := tx.InsertAppOrigin(ctx, o)
			again, err2 := tx.InsertAppOrigin(ctx, o)
			got, err3 := tx.AppOrigins(ctx, "h")
			if !first || again || !cmp.Equal(got, []domain.AppOrigin{o}) {
				t.Errorf("%v %v %+v", first, again, got)
			}
			p := domain.Preset{Name: "quick", Config: map[string]string{"lr": "0.1"}, CreatedBy: "Ada", CreatedAt: now}
			err4 := errors.Join(tx.PutPreset(ctx, "p/n", domain.Preset{Name: "quick", CreatedAt: now}), tx.PutPreset(ctx, "p/n", p))
			kept, err5 := tx.Presets(ctx, "p/n")
			if !cmp.Equal(kept, []domain.Preset{p}) {
				t.Errorf("%+v", kept)
			}
			err6 := tx.DeletePreset(ctx, "p/n", "quick")
			code(t, tx.DeletePreset(ctx, "p/n", "quick"), domain.NotFound)
			return errors.Join(err, err1, err2, err3, err4, err5, err6)
		})
	})
}
