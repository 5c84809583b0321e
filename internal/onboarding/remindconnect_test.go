package onboarding_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// reminders are the subjects of the reminders to connect that an address got.
func (w *world) reminders(email string) (n int) {
	for _, m := range w.to(email) {
		if m.Subject == "Your machine is not connected to "+w.fed.Name+" yet" && strings.Contains(m.Text, "/me/"+w.fed.Slug) {
			n++
		}
	}
	return n
}

// A manager reminds one or all who have never connected, each person once a day, and the audit has it.
func TestPeopleAreRemindedToConnectOnceADay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 5)
		a, b, waits := w.approved("a@example.org"), w.approved("b@example.org"), w.pending("c@example.org")
		remind := func(want onboarding.Reminded, requests ...int64) {
			t.Helper()
			if got, err := w.s.RemindToConnect(w.ctx, manager, w.fed.ID, requests); err != nil || got != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
		remind(onboarding.Reminded{Mailed: 1}, a.ID)
		_, err := w.s.RemindToConnect(w.ctx, manager, w.fed.ID, []int64{a.ID})
		w.wantCode(err, domain.Limited, "")
		_, err = w.s.RemindToConnect(w.ctx, manager, w.fed.ID, []int64{waits.ID})
		w.wantCode(err, domain.Conflict, "")
		_, err = w.s.RemindToConnect(w.ctx, manager, w.fed.ID+1, []int64{b.ID})
		w.wantCode(err, domain.NotFound, "")
		remind(onboarding.Reminded{Mailed: 1, Skipped: 1})
		if w.reminders("a@example.org") != 1 || w.reminders("b@example.org") != 1 || w.reminders("c@example.org") != 0 {
			t.Errorf("%+v", w.mails())
		}
		if !slices.Contains(w.audits(a.Ref), "request.reminded") {
			t.Errorf("audit: %v", w.audits(a.Ref))
		}
		w.clock.pass(onboarding.ConnectReminderGap)
		e, err := w.s.Enrol(w.ctx, input(t, newKey(t), w.token(b)))
		if err == nil {
			err = w.db.InTx(w.ctx, func(tx *store.Tx) error {
				return tx.UpdateNodesSeen(w.ctx, map[int64]domain.NodeSeen{e.Key.ID: {FirstAt: w.clock.read(), LastAt: w.clock.read()}})
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		remind(onboarding.Reminded{Mailed: 1}) // b has connected
		_, err = w.s.RemindToConnect(w.ctx, manager, w.fed.ID, []int64{b.ID})
		w.wantCode(err, domain.Conflict, "")
	})
}

// The rule of a federation reminds each person once, after as long as it says, unless managers turned it off.
func TestTheRuleRemindsOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 5)
		w.approved("a@example.org")
		later := func(d time.Duration) {
			t.Helper()
			w.clock.pass(d)
			if err := w.s.RemindByRule(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
		set := func(remind bool) {
			t.Helper()
			err := w.db.InTx(w.ctx, func(tx *store.Tx) error {
				return tx.PutNoticeRules(w.ctx, w.fed.ID, domain.NoticeRules{Unconnected: 48 * time.Hour, Remind: remind})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		set(true)
		later(47 * time.Hour)
		if n := w.reminders("a@example.org"); n != 0 {
			t.Errorf("%d reminders too early", n)
		}
		set(false)
		later(2 * time.Hour)
		if n := w.reminders("a@example.org"); n != 0 {
			t.Errorf("%d reminders while it is off", n)
		}
		set(true)
		for range 5 {
			later(30 * time.Hour)
		}
		if n := w.reminders("a@example.org"); n != 1 {
			t.Errorf("%d reminders", n)
		}
	})
}
