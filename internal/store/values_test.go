package store_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Whatever text comes, it is stored as text on both databases; the audit's chain is over what is stored.
func TestAnyTextIsStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		for _, text := range []string{"a\x00b", "a\xff", "\xc3", "a\xed\xa0\x80", strings.Repeat("\xff", 300)} {
			err := db.InTx(ctx, func(tx *store.Tx) error {
				if err := tx.PutSetting(ctx, "key"+text, text); err != nil {
					return err
				}
				if got, err := tx.Setting(ctx, "key"+text); err != nil || got != domain.ToStorable(text) {
					t.Errorf("%q came back as %q, %v", text, got, err)
				}
				return tx.InsertAudit(ctx, domain.AuditEntry{At: time.Now(), Actor: domain.Actor{Kind: "person", Name: text}, Action: text, ObjectKind: text, ObjectID: text, Detail: map[string]string{text: text}})
			})
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		var v domain.AuditVerdict
		if err := db.View(ctx, func(tx *store.Tx) (err error) { v, err = tx.CheckAudit(ctx); return err }); err != nil || v.Fault != 0 || v.Short || v.Entries != 5 {
			t.Errorf("the audit's chain: %+v, %v", v, err)
		}
	})
}

// Infinities and nan of an app's config and of a run's come back as they were.
func TestInfinitiesAndNaNAreStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		fed := domain.Federation{Slug: "fed", Name: "Fed", TotalPartitions: 1}
		odd := map[string]any{"inf": math.Inf(1), "low": math.Inf(-1), "nan": math.NaN(), "one": 1.0, "n": int64(math.MaxInt64), "text": "inf"}
		app := domain.AppVersion{Hash: strings.Repeat("a", 64), Publisher: "p", Name: "n", Version: "1", FAB: []byte("x")}
		for key, v := range odd {
			kind := domain.KindFloat
			switch v.(type) {
			case int64:
				kind = domain.KindInt
			case string:
				kind = domain.KindString
			}
			app.Config = append(app.Config, domain.ConfigKey{Key: key, Kind: kind, Default: v, Choices: []any{v}})
		}
		run := domain.Run{Name: "r", State: domain.Queued, AppHash: app.Hash, Config: odd, CreatedAt: time.Now()}
		err := db.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertFederation(ctx, &fed); err != nil {
				return err
			}
			run.FederationID = fed.ID
			if err := tx.PutAppVersion(ctx, app); err != nil {
				return err
			}
			return tx.InsertRun(ctx, &run)
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(ctx, func(tx *store.Tx) error {
			back, err := tx.AppVersionByHash(ctx, app.Hash, false)
			if err != nil {
				return err
			}
			for _, k := range back.Config {
				if !domain.SameConfigValue(k.Default, odd[k.Key]) || len(k.Choices) != 1 || !domain.SameConfigValue(k.Choices[0], odd[k.Key]) {
					t.Errorf("the default of %s came back as %v of %T, choices %v", k.Key, k.Default, k.Default, k.Choices)
				}
			}
			got, err := tx.RunByID(ctx, run.ID)
			for key, v := range odd {
				if !domain.SameConfigValue(got.Config[key], v) {
					t.Errorf("the run's %s came back as %v of %T", key, got.Config[key], got.Config[key])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
