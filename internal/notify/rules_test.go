package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
	"blossomtune/internal/store"
)

// machine is a server that has been up for long, with room on its disk.
func (w *world) machine() notify.Machine {
	long := w.now.Add(-1000 * time.Hour)
	return notify.Machine{Started: long, Certificate: func() time.Time { return w.now.Add(1000 * time.Hour) },
		SuperLink: func(int64) domain.SuperLink { return domain.SuperLink{State: domain.SuperLinkUp, Since: long} },
		Disk:      func() (free, total int64) { return 50e9, 100e9 }}
}

// lasts lets time pass, with a check after each part of it.
func (w *world) lasts(m notify.Machine, parts ...time.Duration) {
	w.t.Helper()
	for _, d := range parts {
		w.now = w.now.Add(d)
		w.must(w.s.Check(w.ctx, m))
	}
	w.passes(0)
}

// participant puts an approved person with a SuperNode that was seen into the federation, and returns the key.
func (w *world) participant(tx *store.Tx, i int, seen domain.NodeSeen) (domain.NodeKey, error) {
	name := fmt.Sprintf("Site %d", i)
	p := domain.Person{Name: name, Email: fmt.Sprintf("site%d@example.org", i), CreatedAt: w.now}
	if err := tx.InsertPerson(w.ctx, &p); err != nil {
		return domain.NodeKey{}, err
	}
	r := domain.Request{Ref: fmt.Sprint("ref-", i), FederationID: w.fed.ID, PersonID: p.ID, State: domain.Approved, Partition: i, Name: name,
		CreatedAt: w.now, DecidedAt: w.now}
	if err := tx.InsertRequest(w.ctx, &r); err != nil {
		return domain.NodeKey{}, err
	}
	if seen.FirstAt.IsZero() {
		return domain.NodeKey{RequestID: r.ID}, nil
	}
	k := domain.NodeKey{FederationID: w.fed.ID, RequestID: r.ID, Partition: i, PublicPEM: []byte("pem"), Fingerprint: fmt.Sprint("f", i),
		Via: "agent", CreatedAt: w.now}
	if err := tx.InsertNodeKey(w.ctx, &k); err != nil {
		return k, err
	}
	return k, tx.UpdateNodesSeen(w.ctx, map[int64]domain.NodeSeen{k.ID: seen})
}

func (w *world) seen(k domain.NodeKey, v domain.NodeSeen) {
	w.t.Helper()
	w.in(func(tx *store.Tx) error { return tx.UpdateNodesSeen(w.ctx, map[int64]domain.NodeSeen{k.ID: v}) })
}

// SuperNodes that go offline within minutes are one mail, once; one that comes back and goes again is another one.
func TestSuperNodesThatGoOfflineTogetherAreOneMail(t *testing.T) {
	each(t, func(w *world) {
		const all = 120
		keys := make([]domain.NodeKey, all)
		w.in(func(tx *store.Tx) (err error) {
			for i := range keys {
				left := w.now.Add(time.Duration(i) * time.Second) // over 2 minutes
				if keys[i], err = w.participant(tx, i, domain.NodeSeen{FirstAt: w.now.Add(-time.Hour), LastAt: left}); err != nil {
					return err
				}
			}
			return nil
		})
		m := w.machine()
		w.lasts(m, 29*time.Minute)
		if got := w.mails(w.manager); len(got) != 0 {
			t.Fatalf("too early: %+v", got)
		}
		w.lasts(m, time.Minute, time.Minute, time.Minute, time.Hour)
		got := w.mails(w.manager)
		if len(got) != 1 || got[0].Subject != "120 SuperNodes offline in Cardio" || !strings.Contains(got[0].Text,
			"Offline for more than 28 min: partition 0 (Site 0), ") || !strings.Contains(got[0].Text, "partition 9 (Site 9), and 110 more.") {
			t.Fatalf("%d mails: %+v", len(got), got)
		}
		w.seen(keys[7], domain.NodeSeen{FirstAt: w.now, LastAt: w.now, Online: true})
		w.lasts(m, time.Minute)
		w.seen(keys[7], domain.NodeSeen{FirstAt: w.now, LastAt: w.now})
		w.lasts(m, 29*time.Minute, time.Minute, time.Hour)
		if got = w.mails(w.manager); len(got) != 2 || got[1].Subject != "1 SuperNode offline in Cardio" {
			t.Errorf("after it came back and left again: %d mails", len(got))
		}
	})
}

// What nobody could see does not count: the time in which the server or the SuperLink was down.
func TestTimeWithoutAServerIsNotTimeOffline(t *testing.T) {
	w := newWorldOnSQLite(t)
	w.in(func(tx *store.Tx) error {
		_, err := w.participant(tx, 1, domain.NodeSeen{FirstAt: w.now.Add(-9 * time.Hour), LastAt: w.now.Add(-8 * time.Hour)})
		return err
	})
	m := w.machine()
	m.SuperLink = func(int64) domain.SuperLink { return domain.SuperLink{State: domain.SuperLinkStopped} }
	w.lasts(m, 40*time.Minute)
	m = w.machine()
	m.Started = w.now
	w.lasts(m, 29*time.Minute)
	if got := w.mails(w.manager); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	w.lasts(m, 2*time.Minute)
	if got := w.mails(w.manager); len(got) != 1 {
		t.Errorf("%d mails", len(got))
	}
}

// Requests that wait and people who never connected are in the daily mail and in webhooks, once, and after as long as the managers set.
func TestWaitingAndUnconnectedPeopleAreNotifiedOnce(t *testing.T) {
	each(t, func(w *world) {
		w.in(func(tx *store.Tx) error {
			p := domain.Person{Name: "Asker", Email: "asker@example.org", CreatedAt: w.now}
			if err := tx.InsertPerson(w.ctx, &p); err != nil {
				return err
			}
			r := domain.Request{Ref: "waits", FederationID: w.fed.ID, PersonID: p.ID, State: domain.Pending, Partition: -1, Name: "Asker",
				CreatedAt: w.now, VerifiedAt: w.now}
			if err := tx.InsertRequest(w.ctx, &r); err != nil {
				return err
			}
			_, err := w.participant(tx, 3, domain.NodeSeen{})
			return err
		})
		rules, err := w.s.SetRules(w.ctx, domain.System, w.fed.ID, func(r *domain.NoticeRules) { r.Waiting = 5 * time.Hour })
		w.must(err)
		if rules.Unconnected != domain.DefaultNoticeRules.Unconnected {
			t.Errorf("%+v", rules)
		}
		if _, err := w.s.SetRules(w.ctx, domain.System, w.fed.ID, func(r *domain.NoticeRules) { r.Offline = time.Second }); err == nil {
			t.Error("a second is accepted")
		}
		m := w.machine()
		for range 2 * 6 { // 6 days
			w.lasts(m, 12*time.Hour)
		}
		var subjects []string
		for _, mail := range w.mails(w.manager) {
			subjects = append(subjects, mail.Subject)
		}
		if want := "Daily summary: 1 request in Cardio waiting for more than 5 hours|Daily summary: 1 participant never connected in Cardio"; strings.
			Join(subjects, "|") != want {
			t.Errorf("%q", subjects)
		}
	})
}

// The server's own conditions go to admins: once, and again after they were over.
func TestTheServersConditionsGoToAdmins(t *testing.T) {
	each(t, func(w *world) {
		m := w.machine()
		free, expires := int64(50e9), w.now.Add(20*24*time.Hour)
		m.Disk = func() (int64, int64) { return free, 100e9 }
		m.Certificate = func() time.Time { return expires }
		w.lasts(m, time.Minute, time.Minute)
		for _, free = range []int64{4e9, 5.5e9, 4e9, 30e9, 4e9} { // between a 20th and a 16th is neither
			w.lasts(m, time.Minute, time.Minute)
		}
		w.now = w.now.Add(7 * 24 * time.Hour)
		w.lasts(m, time.Minute, time.Minute)
		var subjects []string
		for _, mail := range w.mails(w.admin) {
			subjects = append(subjects, mail.Subject)
		}
		if want := "Disk almost full|Disk almost full|Certificate expiring"; strings.Join(subjects, "|") != want {
			t.Errorf("%q", subjects)
		}
		if got := w.mails(w.admin)[0].Text; !strings.Contains(got, "4.0 of 100.0 GB are free") || !strings.Contains(got, "What to do: Free some space") {
			t.Error(got)
		}
		if got := w.mails(w.manager); len(got) != 0 {
			t.Errorf("a manager got %+v", got)
		}
	})
}
