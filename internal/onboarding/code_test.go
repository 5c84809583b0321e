package onboarding_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Whoever asks with an address of which something is known is answered about the code as somebody new: wrong codes, codes that have
// run out and the limits on new ones tell nothing of what was before.
func TestWrongCodesTellNothingOfWhatWasBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 5)
		w.approved("approved@example.org")
		used := w.ask("used@example.org") // all tries are used up
		for range domain.CodeTries {
			_, err := w.s.Verify(w.ctx, used.Ref, "AAAA-AAAA", domain.Person{})
			if err == nil {
				t.Fatal("a wrong code is right")
			}
		}
		w.clock.pass(30 * time.Second)
		w.ask("recent@example.org") // its code was mailed a moment ago
		w.clock.pass(5 * time.Second)

		addresses := []string{"new@example.org", "approved@example.org", "used@example.org", "recent@example.org"}
		told := map[string]string{}
		for _, email := range addresses {
			r, err := w.s.Ask(w.ctx, onboarding.AskInput{FederationID: w.fed.ID, Email: email, Name: "N", Address: email})
			if err != nil {
				t.Fatal(err)
			}
			told[email] = r.Ref
		}
		if err := w.s.SettleAsks(w.ctx); err != nil {
			t.Fatal(err)
		}
		same := func(step string, do func(email string) error) {
			t.Helper()
			want := words(do(addresses[0]))
			for _, email := range addresses[1:] {
				if got := words(do(email)); got != want {
					t.Errorf("%s: %s is told %s, somebody new %s", step, email, got, want)
				}
			}
		}
		wrong := func(email string) error {
			_, err := w.s.Verify(w.ctx, told[email], "AAAA-AAAA", domain.Person{})
			return err
		}
		again := func(email string) error { return w.s.Resend(w.ctx, told[email], email) }
		for i := range domain.CodeTries + 1 {
			same(fmt.Sprint("wrong code ", i+1), wrong)
		}
		same("a new one at once", again)
		for i := range domain.CodeSends + 1 {
			w.clock.pass(domain.CodeSendGap + 11*time.Minute) // past the limit of an address, too
			same(fmt.Sprint("new code ", i+1), again)
			same(fmt.Sprint("wrong after new code ", i+1), wrong)
		}
		w.clock.pass(domain.CodeLife)
		same("too late", wrong)
		w.clock.pass(25 * time.Hour)
		same("a day later", again)
		for _, email := range addresses {
			if r, err := w.s.Verify(w.ctx, told[email], w.codeIn(email), domain.Person{}); err != nil || r.Email != email {
				t.Errorf("the right code of %s: %+v, %v", email, r, err)
			}
		}
	})
}

// words are what somebody is told.
func words(err error) string {
	var d *domain.Error
	if errors.As(err, &d) {
		return fmt.Sprintf("%s %s %s", d.Code, d.Message, d.Remedy)
	}
	return fmt.Sprint(err)
}
