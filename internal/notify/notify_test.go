package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A run's mail tells what happened, who contributed, the cause and the remedy, and goes to the managers once, even if the server restarts.
func TestARunIsMailedToItsManagersOnce(t *testing.T) {
	each(t, func(w *world) {
		w.ended(domain.NoticeRun{Name: "digits-14", App: "blossomtune/quickstart-digits", AppVersion: "1.2.0", State: domain.Failed, Round: 2,
			Rounds: 10,
			Asked:  4, Contributed: 3, Who: []domain.NoticeNode{{Partition: 0, Name: "Site North"}, {Partition: 3}},
			StartedAt: w.now.Add(-184 * time.Second),
			EndedAt:   w.now, Cause: "The ServerApp raised KeyError:\n'lr'.", Remedy: "Add lr to the run config."}, domain.NoticeRunFailed)
		w.passes(0)
		w.boot()
		w.passes(time.Hour)
		got := w.mails(w.manager)
		if len(got) != 1 || len(w.mails(w.viewer))+len(w.mails(w.admin)) != 0 {
			t.Fatalf("mails to the manager: %+v; others: %v %v", got, w.mails(w.viewer), w.mails(w.admin))
		}
		if got[0].Subject != "digits-14 failed in Cardio" {
			t.Errorf("subject %q", got[0].Subject)
		}
		for _, want := range []string{"App: blossomtune/quickstart-digits 1.2.0\nRounds: 2 of 10\n", "Duration: 3 min 4 s",
			"Participants: 3 of 4 contributed: partition 0 (Site North), partition 3, and 1 more.",
			"What happened: The ServerApp raised KeyError: 'lr'.\n",
			"What to do: Add lr to the run config.", "\n\n    https://fl.example.org/f/cardio/runs/digits-14\n",
			"https://fl.example.org/me/account/notifications"} {
			if !strings.Contains(got[0].Text, want) {
				t.Errorf("the mail lacks %q:\n%s", want, got[0].Text)
			}
		}
	})
}

// A run in which nothing was trained says so in its mail, in the subject first.
func TestTheMailSaysThatNothingWasTrained(t *testing.T) {
	each(t, func(w *world) {
		w.ended(domain.NoticeRun{Name: "r-1", App: "p/n", AppVersion: "1.0.0", State: domain.Completed, Round: 3, Rounds: 3, Asked: 2,
			EndedAt: w.now,
			Cause:   "Nothing was trained: 2 participants were asked, 1 failed and 1 did not reply."}, domain.NoticeNothingTrained)
		w.passes(0)
		got := w.mails(w.manager)
		if len(got) != 1 || got[0].Subject != "Nothing was trained: r-1 in Cardio" ||
			!strings.Contains(got[0].Text, "2 asked, none contributed.") ||
			!strings.Contains(got[0].Text, "1 failed and 1 did not reply") {
			t.Errorf("%+v", got)
		}
	})
}

// Each person chooses; a viewer gets what they chose, a manager nothing that they turned off, and the daily mail comes once a day.
func TestPeopleChooseWhatTheyAreMailed(t *testing.T) {
	each(t, func(w *world) {
		choose := func(p domain.Person, fed int64, k domain.NoticeKind, m domain.NoticeMode) error {
			return w.s.Choose(w.ctx, domain.System, p, fed, map[domain.NoticeKind]domain.NoticeMode{k: m})
		}
		w.must(choose(w.manager, w.fed.ID, domain.NoticeRunCompleted, domain.NoticeOff))
		w.must(choose(w.viewer, w.fed.ID, domain.NoticeRunCompleted, domain.NoticeDaily))
		w.must(choose(w.admin, w.fed.ID, domain.NoticeRunCompleted, domain.NoticeNow))
		stranger := domain.Person{ID: w.viewer.ID + 1000}
		for what, err := range map[string]error{
			"a stranger's":      choose(stranger, w.fed.ID, domain.NoticeRunFailed, domain.NoticeNow),
			"a viewer's server": choose(w.viewer, 0, domain.NoticeRunFailed, domain.NoticeNow),
			"an unknown kind":   choose(w.viewer, w.fed.ID, domain.NoticeTest, domain.NoticeNow),
			"an unknown way":    choose(w.viewer, w.fed.ID, domain.NoticeRunFailed, "loud"),
		} {
			if err == nil {
				t.Errorf("%s choice is accepted", what)
			}
		}
		for i := range 2 {
			w.ended(domain.NoticeRun{Name: fmt.Sprint("r-", i), State: domain.Completed}, domain.NoticeRunCompleted)
		}
		w.passes(0)
		if n := len(w.mails(w.admin)); n != 1 || len(w.mails(w.viewer)) != 0 || len(w.mails(w.manager)) != 0 {
			t.Errorf("at once: %d mails to the admin, %v, %v", n, w.mails(w.viewer), w.mails(w.manager))
		}
		w.passes(18 * time.Hour) // 6:00
		if got := w.mails(w.viewer); len(got) != 0 {
			t.Errorf("too early: %+v", got)
		}
		w.passes(time.Hour)
		got := w.mails(w.viewer)
		if len(got) != 1 || got[0].Subject != "Daily summary: 2 notifications in Cardio" ||
			strings.Count(got[0].Text, " completed in Cardio.") != 2 {
			t.Errorf("the daily mail: %+v", got)
		}
	})
}

// A thousand notices in an hour are a few mails, none is lost, and the rest comes in one when the hour is over.
func TestAStormIsAFewMails(t *testing.T) {
	each(t, func(w *world) {
		total := 0
		storm := func(n int) {
			for range n {
				total++
				w.ended(domain.NoticeRun{Name: fmt.Sprint("r-", total), State: domain.Failed}, domain.NoticeRunFailed)
			}
		}
		for range 15 { // one at a time
			storm(1)
			w.passes(time.Second)
		}
		storm(200)
		w.passes(time.Minute)
		if n := len(w.mails(w.manager)); n != 10 {
			t.Errorf("%d mails in the first hour", n)
		}
		w.passes(time.Hour)
		got := w.mails(w.manager)
		if len(got) != 11 || !strings.HasPrefix(got[10].Subject, "205 notifications in Cardio") ||
			!strings.Contains(got[10].Text, "And 155 more.") {
			t.Fatalf("%d mails: %s", len(got), got[len(got)-1].Subject)
		}
		w.passes(24 * time.Hour)
		if n := len(w.mails(w.manager)); n != 11 {
			t.Errorf("%d mails in the end", n)
		}
	})
}

// Whoever loses their role gets nothing of what waited for them.
func TestWhoHasNoRoleAnyMoreIsNotMailed(t *testing.T) {
	each(t, func(w *world) {
		w.must(w.s.Choose(w.ctx, domain.System, w.viewer, w.fed.ID,
			map[domain.NoticeKind]domain.NoticeMode{domain.NoticeRunFailed: domain.NoticeDaily}))
		w.ended(domain.NoticeRun{Name: "r-1", State: domain.Failed}, domain.NoticeRunFailed)
		w.passes(0)
		w.in(func(tx *store.Tx) error { return tx.SetGrantedRole(w.ctx, w.viewer.ID, w.fed.ID, domain.RoleNone) })
		w.passes(24 * time.Hour)
		if got := w.mails(w.viewer); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Who asks to join and who does not connect is for managers: a viewer cannot choose it, and who was a manager gets nothing that waited.
func TestPeopleAreNamedToManagersOnly(t *testing.T) {
	each(t, func(w *world) {
		daily := map[domain.NoticeKind]domain.NoticeMode{domain.NoticeOverdue: domain.NoticeDaily}
		if err := w.s.Choose(w.ctx, domain.System, w.viewer, w.fed.ID, daily); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("a viewer chooses it: %v", err)
		}
		w.must(w.s.Choose(w.ctx, domain.System, w.manager, w.fed.ID, daily))
		all, err := w.s.Preferences(w.ctx, w.viewer)
		w.must(err)
		for _, c := range all[0].All {
			if c.Kind.ForManagers() {
				t.Errorf("a viewer is offered %s", c.Kind)
			}
		}
		waits := func() {
			w.in(func(tx *store.Tx) error {
				return tx.InsertNotice(w.ctx, &domain.Notice{At: w.now, Kind: domain.NoticeOverdue, FederationID: w.fed.ID, About: "requests"})
			})
			w.passes(0)
		}
		waits()
		w.in(func(tx *store.Tx) error {
			if err := tx.SetGrantedRole(w.ctx, w.manager.ID, w.fed.ID, domain.RoleViewer); err != nil {
				return err
			}
			return tx.PutNoticePref(w.ctx, domain.NoticePref{PersonID: w.viewer.ID, FederationID: w.fed.ID, Kind: domain.NoticeOverdue,
				Mode: domain.NoticeNow}) // of an earlier version
		})
		waits()
		w.passes(24 * time.Hour)
		if got := append(w.mails(w.manager), w.mails(w.viewer)...); len(got) != 0 {
			t.Errorf("viewers are mailed: %+v", got)
		}
	})
}
