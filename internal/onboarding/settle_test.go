package onboarding_test

import (
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// All that differs between addresses is done after the answer; and it is done, also by the server that is started next.
func TestWhatDiffersIsDoneAfterTheAnswer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 5)
		known, open := w.approved("known@example.org"), w.ask("open@example.org")
		w.clock.pass(time.Hour)
		before := len(w.mails())
		told := map[string]string{}
		for _, email := range []string{"new@example.org", "known@example.org", "open@example.org"} {
			r, err := w.s.Ask(w.ctx, onboarding.AskInput{FederationID: w.fed.ID, Email: email, Name: "N", Address: email})
			if err != nil || r.ID != 0 || r.PersonID != 0 || r.State != "" {
				t.Fatalf("%s: %+v, %v", email, r, err)
			}
			told[email] = r.Ref
			if w.exists(email) != (email != "new@example.org") || len(w.mails()) != before {
				t.Errorf("%s: something was done before the answer", email)
			}
		}
		if told["known@example.org"] == known.Ref || told["open@example.org"] == open.Ref {
			t.Error("the id of an earlier request was told")
		}
		next := onboarding.New(w.s.Options)
		if err := next.SettleAsks(w.ctx); err != nil {
			t.Fatal(err)
		}
		if n := len(w.mails()) - before; n != 3 {
			t.Fatalf("%d mails were written", n)
		}
		for email, want := range map[string]domain.RequestState{"new@example.org": domain.Pending, "open@example.org": domain.Pending, "known@example.org": domain.Approved} {
			if r, err := next.Verify(w.ctx, told[email], w.codeIn(email), domain.Person{}); err != nil || r.State != want {
				t.Errorf("%s: %s, %v", email, r.State, err)
			}
		}
		w.clock.pass(domain.RequestsLife + time.Hour)
		if _, err := w.s.ExpireOld(w.ctx); err != nil {
			t.Fatal(err)
		}
		err := db.View(w.ctx, func(tx *store.Tx) error { _, err := tx.AskByRef(w.ctx, told["known@example.org"]); return err })
		w.wantCode(err, domain.NotFound, "") // nothing of it is kept for ever
	})
}

func (w *world) exists(email string) bool {
	w.t.Helper()
	err := w.db.View(w.ctx, func(tx *store.Tx) error { _, err := tx.PersonByEmail(w.ctx, email); return err })
	if err != nil && domain.CodeOf(err) != domain.NotFound {
		w.t.Fatal(err)
	}
	return err == nil
}

// codeIn is the code in the newest mail to an address: it stands in the subject.
func (w *world) codeIn(email string) string {
	w.t.Helper()
	for _, m := range w.mails() {
		if m.To == email {
			return codeInMail.FindString(m.Subject)
		}
	}
	w.t.Fatalf("no mail to %s", email)
	return ""
}
