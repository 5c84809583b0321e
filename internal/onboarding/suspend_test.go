package onboarding_test

import (
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

func TestASuspendedKeyIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 3)
		r := w.approved("a@example.org")
		_, err := w.s.Suspend(w.ctx, manager, r.ID, "moving servers")
		w.wantCode(err, domain.Conflict, "") // there is nothing to suspend yet
		e, err := w.s.Enrol(w.ctx, input(t, newKey(t), w.token(r)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.s.Suspend(w.ctx, manager, r.ID, " ")
		w.wantCode(err, domain.Invalid, "reason")
		if _, err := w.s.Suspend(w.ctx, manager, r.ID, "moving servers"); err != nil {
			t.Fatal(err)
		}
		k, err := w.s.ByFingerprint(w.ctx, e.Key.Fingerprint)
		if err != nil || k.SuspendedAt.IsZero() || k.Reason != "moving servers" || !k.RevokedAt.IsZero() {
			t.Errorf("%+v, %v", k, err)
		}
		_, err = w.s.Suspend(w.ctx, manager, r.ID, "again")
		w.wantCode(err, domain.Conflict, "")
		if k, err = w.s.Resume(w.ctx, manager, r.ID); err != nil || !k.SuspendedAt.IsZero() {
			t.Errorf("%+v, %v", k, err)
		}
		_, err = w.s.Resume(w.ctx, manager, r.ID)
		w.wantCode(err, domain.Conflict, "")
	})
}
