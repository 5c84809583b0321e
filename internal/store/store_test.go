package store_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 23, 9, 30, 0, 123e6, time.UTC)
)

func in(t *testing.T, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.InTx(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func federation(t *testing.T, db *store.DB) domain.Federation {
	t.Helper()
	f := domain.Federation{Slug: "cardio", Name: "Cardio", TotalPartitions: 10, Parallel: 1, EngineWanted: true, CreatedAt: now, Asking: domain.Asking{Proof: domain.ProofEither, Question: "Q?", AnswerNeeded: true, InvitationsOnly: true}}
	in(t, db, func(tx *store.Tx) error { return tx.InsertFederation(ctx, &f) })
	return f
}

func person(t *testing.T, db *store.DB, email string) domain.Person {
	t.Helper()
	p := domain.Person{Email: email, Name: "N", CreatedAt: now}
	in(t, db, func(tx *store.Tx) error { return tx.InsertPerson(ctx, &p) })
	return p
}

func code(t *testing.T, err error, want domain.Code) {
	t.Helper()
	if got := domain.CodeOf(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func TestNounsComeBackAsTheyWent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, p := federation(t, db), person(t, db, "a@example.org")
		r := domain.Request{Ref: "AAAA-BBBB", FederationID: f.ID, PersonID: p.ID, Email: p.Email, State: domain.Approved, Partition: 3, Name: "N", Message: "m", CreatedAt: now,
			Code: domain.ActivationCode{Hash: []byte{1, 2}, ExpiresAt: now, Tries: 2, Sent: 1}}
		in(t, db, func(tx *store.Tx) error { return tx.InsertRequest(ctx, &r) })
		k := domain.NodeKey{FederationID: f.ID, RequestID: r.ID, Partition: 3, PublicPEM: []byte("pem"), Fingerprint: "ff", NodeID: math.MaxUint64 - 5, Via: "agent", CreatedAt: now}
		min := 0.5
		app := domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("fab"), CreatedAt: now,
			Presets: []domain.Preset{{Name: "quick", Config: map[string]string{"lr": "0.1"}}},
			Config:  []domain.ConfigKey{{Key: "lr", Kind: domain.KindFloat, Default: 1.0, Min: &min}, {Key: "big", Kind: domain.KindInt, Default: int64(math.MaxInt64)}, {Key: "o", Kind: domain.KindString, Default: "sgd", Choices: []any{"sgd", "adam"}}}}
		run := domain.Run{FederationID: f.ID, Name: "n-1", State: domain.Running, AppHash: "h", AppID: "p/n", AppVersion: "1", TotalPartitions: 10, EngineRunID: math.MaxUint64 - 1, CreatedAt: now,
			Config: map[string]any{"lr": 2.0, "big": int64(1 << 62), "flag": true, "o": "adam"}, Tags: []string{"x"}, Place: 7, NotBefore: now, Override: "a test", ProgressAt: now,
			Settings: domain.RunSettings{PackageIndex: "https://x/simple", Environment: map[string]string{"A": "b"}, CPUs: 2, MemoryMB: 100, LogLevel: "DEBUG", Limits: domain.Limits{Wall: time.Hour, Round: time.Minute, NoProgress: time.Second, FirstHeartbeat: 2}}, Cause: domain.Cause{Code: "201", ExitCode: 1}}
		in(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.InsertNodeKey(ctx, &k), tx.PutAppVersion(ctx, app), tx.PutAppVersion(ctx, app), tx.InsertRun(ctx, &run))
		})
		err := db.View(ctx, func(tx *store.Tx) error {
			gotF, err1 := tx.FederationBySlug(ctx, "cardio")
			gotR, err2 := tx.RequestByRef(ctx, r.Ref)
			gotK, err3 := tx.NodeKeyByFingerprint(ctx, "ff")
			gotA, err4 := tx.AppVersionByHash(ctx, "h", true)
			gotRun, err5 := tx.RunByEngineID(ctx, f.ID, run.EngineRunID)
			for _, d := range []string{cmp.Diff(f, gotF), cmp.Diff(r, gotR), cmp.Diff(k, gotK), cmp.Diff(app, gotA), cmp.Diff(run, gotRun)} {
				if d != "" {
					t.Error(d)
				}
			}
			_, err := tx.RunByName(ctx, "nope")
			code(t, err, domain.NotFound)
			return errors.Join(err1, err2, err3, err4, err5)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestConstraintsHoldWhateverTheRulesDo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := federation(t, db)
		approved := func(email string, partition int) error {
			p := person(t, db, email)
			r := domain.Request{Ref: email, FederationID: f.ID, PersonID: p.ID, State: domain.Pending, Partition: -1}
			in(t, db, func(tx *store.Tx) error { return tx.InsertRequest(ctx, &r) })
			err := db.InTx(ctx, func(tx *store.Tx) error {
				again := r
				again.Ref = "x" + email
				return tx.InsertRequest(ctx, &again)
			})
			code(t, err, domain.Conflict)
			r.State, r.Partition = domain.Approved, partition
			return db.InTx(ctx, func(tx *store.Tx) error { return tx.UpdateRequest(ctx, r) })
		}
		code(t, approved("a@example.org", 1), "")
		code(t, approved("b@example.org", 1), domain.Conflict)
		code(t, approved("c@example.org", -1), domain.Internal) // the CHECK: an approved request has a partition
		code(t, approved("d@example.org", 10_000), domain.Internal)
		k := domain.NodeKey{FederationID: f.ID, RequestID: 1, Fingerprint: "ff", PublicPEM: []byte("x"), Via: "agent", RevokedAt: now}
		in(t, db, func(tx *store.Tx) error { return tx.InsertNodeKey(ctx, &k) })
		code(t, db.InTx(ctx, func(tx *store.Tx) error { return tx.InsertNodeKey(ctx, &k) }), domain.Conflict)
		code(t, db.InTx(ctx, func(tx *store.Tx) error { return tx.InsertFederation(ctx, &f) }), domain.Conflict)
	})
}

func TestMetricsAreStoredOnceAndExactly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ms := []domain.Metric{}
		for i, v := range []float64{0.1, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64} {
			ms = append(ms, domain.Metric{FederationID: 1, EngineRunID: math.MaxUint64, Round: i, Phase: domain.PhaseTrain, NodeID: 1 << 63, Name: "loss", Value: v, At: now})
		}
		asked := domain.Exchange{FederationID: 1, EngineRunID: math.MaxUint64, MessageID: "m", Round: 1, Phase: domain.PhaseTrain, NodeID: 7, AskedAt: now}
		replied := asked
		replied.RepliedAt = now.Add(time.Second)
		for _, o := range []domain.Observation{{Metrics: ms, Exchanges: []domain.Exchange{asked}}, {Metrics: ms, Exchanges: []domain.Exchange{replied}}, {Exchanges: []domain.Exchange{asked}}} {
			if err := db.Record(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		_ = db.View(ctx, func(tx *store.Tx) error {
			got, err := tx.Metrics(ctx, 1, math.MaxUint64, 0, 0)
			if d := cmp.Diff(ms, got, cmpopts.EquateNaNs(), cmpopts.IgnoreFields(domain.Metric{}, "ID")); d != "" || err != nil {
				t.Error(err, d)
			}
			var es []domain.Exchange
			err = tx.EachExchange(ctx, 1, math.MaxUint64, func(e domain.Exchange) error { es = append(es, e); return nil })
			if d := cmp.Diff([]domain.Exchange{replied}, es); d != "" || err != nil {
				t.Error(err, d)
			}
			if part, err := tx.Part(ctx, 1, 7); part != (domain.Part{Rounds: 1, Runs: 1}) || err != nil {
				t.Error(part, err)
			}
			return nil
		})
	})
}

func TestFailedTransactionLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		boom := errors.New("boom")
		err := db.InTx(ctx, func(tx *store.Tx) error {
			p := domain.Person{Email: "a@example.org"}
			return errors.Join(tx.InsertPerson(ctx, &p), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		_ = db.View(ctx, func(tx *store.Tx) error {
			_, err := tx.PersonByEmail(ctx, "a@example.org")
			code(t, err, domain.NotFound)
			return nil
		})
	})
}

// Two processes write the same database: here two handles, as the server and a keeper have.
func TestWritersOfTwoHandlesLoseNothing(t *testing.T) {
	addresses := map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "postgres": storetest.PostgresURL(t)}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			handles := []*store.DB{storetest.Open(t, address), storetest.Open(t, address)}
			in(t, handles[0], func(tx *store.Tx) error { return tx.PutSetting(ctx, "n", "") })
			var wg sync.WaitGroup
			for _, db := range handles {
				for range 4 {
					wg.Go(func() {
						for range 10 {
							err := db.InTx(ctx, func(tx *store.Tx) error {
								v, err := tx.Setting(ctx, "n")
								return errors.Join(err, tx.PutSetting(ctx, "n", v+"x"))
							})
							if err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			wg.Wait()
			_ = handles[1].View(ctx, func(tx *store.Tx) error {
				if v, err := tx.Setting(ctx, "n"); len(v) != 80 || err != nil {
					t.Errorf("%d of 80 writes, %v", len(v), err)
				}
				return nil
			})
		})
	}
}

func TestDatabaseFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	storetest.Open(t, "sqlite:"+path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	_, err := store.Open(ctx, "mysql://x")
	code(t, err, domain.Invalid)
}

func TestSettingsAreListedByPrefix(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in(t, db, func(tx *store.Tx) error {
			for _, key := range []string{"a_b.one", "a_b.two", "axb.no", "a_b", "other"} {
				if err := tx.PutSetting(ctx, key, "v:"+key); err != nil {
					return err
				}
			}
			return errors.Join(tx.DropSetting(ctx, "a_b.two"), tx.DropSetting(ctx, "never"), tx.PutSetting(ctx, "a_b.three", ""))
		})
		in(t, db, func(tx *store.Tx) error {
			got, err := tx.Settings(ctx, "a_b.")
			if d := cmp.Diff(map[string]string{"a_b.one": "v:a_b.one", "a_b.three": ""}, got); d != "" {
				t.Error(d)
			}
			return err
		})
	})
}
