package onboarding_test

import (
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// A version that waits is mailed to its owner once, each change has its audit entry, and the board's query sees where everyone stands.
func TestWhatParticipantsDecided(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 3)
		r := w.approved("a@example.org")
		e, err := w.s.Enrol(w.ctx, input(t, newKey(t), w.token(r)))
		if err != nil {
			t.Fatal(err)
		}
		hash := strings.Repeat("a", 64)
		if err := db.InTx(w.ctx, func(tx *store.Tx) error {
			if err := tx.PutAppVersion(w.ctx, domain.AppVersion{Hash: hash, Publisher: "north", Name: "digits", Version: "1.2.0", FAB: []byte("x"), CreatedAt: w.clock.read()}); err != nil {
				return err
			}
			return tx.UpdateNodeMachine(w.ctx, e.Key.ID, domain.NodeSeen{Approve: "ask", Ledger: domain.LedgerHead{N: 7, Hash: hash}})
		}); err != nil {
			t.Fatal(err)
		}
		before := len(w.mails())
		told := func(state domain.ApprovalState, rule, hash string) {
			t.Helper()
			if err := w.s.Decided(w.ctx, e, []domain.AppApproval{{AppHash: hash, State: state, Reason: rule}}); err != nil {
				t.Fatal(err)
			}
		}
		told(domain.ApprovalWaiting, "approval", strings.Repeat("b", 64)) // not one of this server's
		for range 2 {
			told(domain.ApprovalWaiting, "approval", hash)
		}
		told(domain.ApprovalGiven, "", hash)
		told(domain.ApprovalWaiting, "packages", hash)
		mails := w.mails()
		if len(mails) != before+1 || mails[0].To != "a@example.org" || !strings.Contains(mails[0].Subject, "north/digits 1.2.0") || !strings.Contains(mails[0].Text, "apps approve "+hash) {
			t.Errorf("%d mails more, the newest: %+v", len(mails)-before, mails[0])
		}
		var actions []string
		var all []domain.NodeApproval
		var key domain.NodeKey
		err = db.InTx(w.ctx, func(tx *store.Tx) error {
			entries, err := tx.AuditEntries(w.ctx, domain.AuditFilter{ObjectKind: "app_version", ObjectID: hash, Limit: 10})
			for _, a := range entries {
				actions = append(actions, a.Action)
			}
			if err == nil {
				all, err = tx.NodeApprovals(w.ctx, w.fed.ID, hash)
			}
			if err == nil {
				err = tx.UpdateNodeMachine(w.ctx, e.Key.ID, domain.NodeSeen{Approve: "ask", Ledger: domain.LedgerHead{N: 3, Hash: strings.Repeat("c", 64)}})
			}
			if err == nil {
				key, err = tx.NodeKeyByFingerprint(w.ctx, e.Key.Fingerprint)
			}
			return err
		})
		if err != nil || strings.Join(actions, " ") != "app_version.waiting app_version.approved app_version.waiting" {
			t.Errorf("the audit has %v, %v", actions, err)
		}
		if want := (domain.NodeApproval{Partition: 0, Approve: "ask", State: domain.ApprovalWaiting}); len(all) != 1 || all[0] != want {
			t.Errorf("%+v", all)
		}
		if key.Seen.Ledger.N != 7 || key.Seen.Ledger.Hash != hash {
			t.Errorf("a lower line takes the place of a higher one: %+v", key.Seen.Ledger)
		}
	})
}
