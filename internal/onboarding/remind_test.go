package onboarding_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// to counts the mails to an address.
func (w *world) to(email string) (out []domain.Mail) {
	for _, m := range w.mails() {
		if m.To == email {
			out = append(out, m)
		}
	}
	return out
}

func (w *world) remind() {
	w.t.Helper()
	if err := w.s.RemindAll(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

func TestManagersGetOneMailInFifteenMinutes(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 50)
	boss, viewer := domain.Person{Email: "boss@example.org", Name: "Boss"}, domain.Person{Email: "viewer@example.org", Name: "V"}
	err := w.db.InTx(w.ctx, func(tx *store.Tx) error {
		for p, role := range map[*domain.Person]domain.Role{&boss: domain.RoleManager, &viewer: domain.RoleViewer} {
			if err := tx.InsertPerson(w.ctx, p); err != nil {
				return err
			}
			if err := tx.SetGrantedRole(w.ctx, p.ID, w.fed.ID, role); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.pending(fmt.Sprintf("p%d@example.org", i))
		w.clock.pass(2 * time.Minute)
		w.remind()
	}
	if got := w.to("boss@example.org"); len(got) != 1 || !strings.Contains(got[0].Subject, "asks to join") {
		t.Errorf("in ten minutes: %+v", got)
	}
	w.clock.pass(6 * time.Minute)
	w.remind()
	w.remind()
	got := w.to("boss@example.org")
	if len(got) != 2 || !strings.Contains(got[0].Subject, "5 requests wait") || !strings.Contains(got[0].Text, "/f/cardio/requests") {
		t.Errorf("after sixteen minutes: %+v", got)
	}
	w.clock.pass(24 * time.Hour) // nothing new came
	w.remind()
	if got := w.to("boss@example.org"); len(got) != 2 {
		t.Errorf("a mail about nothing new: %+v", got)
	}
	if got := w.to("viewer@example.org"); len(got) != 0 {
		t.Errorf("a viewer is asked to review: %+v", got)
	}
}

func TestADomainWithoutMailIsNotAskedFor(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	o := w.s.Options
	o.MailTakes = mailTakes
	s := onboarding.New(o)
	_, err := s.Ask(w.ctx, onboarding.AskInput{FederationID: w.fed.ID, Email: "a@nomail.example", Name: "N", Address: "a"})
	w.wantCode(err, domain.Invalid, "email")
	if _, err := s.Ask(w.ctx, onboarding.AskInput{FederationID: w.fed.ID, Email: "a@mail.example", Name: "N", Address: "a"}); err != nil {
		t.Error(err)
	}
}
