package notify_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// world is a federation with a manager and a viewer, an admin, and a service whose clock the test moves.
type world struct {
	t                      *testing.T
	keys                   string // the folder of the sealer
	ctx                    context.Context
	db                     *store.DB
	s                      *notify.Service
	now                    time.Time
	fed                    domain.Federation
	manager, viewer, admin domain.Person
}

// each runs a test in a new world on each kind of database.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { test(newWorld(t, db)) })
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, keys: t.TempDir(), ctx: t.Context(), db: db, now: time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC),
		fed: domain.Federation{Slug: "cardio", Name: "Cardio", TotalPartitions: 10}}
	w.in(func(tx *store.Tx) error {
		if err := tx.InsertFederation(w.ctx, &w.fed); err != nil {
			return err
		}
		for name, p := range map[string]*domain.Person{"manager": &w.manager, "viewer": &w.viewer, "admin": &w.admin} {
			*p = domain.Person{Name: name, Email: name + "@example.org", Admin: name == "admin", CreatedAt: w.now}
			if err := tx.InsertPerson(w.ctx, p); err != nil {
				return err
			}
		}
		if err := tx.SetGrantedRole(w.ctx, w.manager.ID, w.fed.ID, domain.RoleManager); err != nil {
			return err
		}
		return tx.SetGrantedRole(w.ctx, w.viewer.ID, w.fed.ID, domain.RoleViewer)
	})
	w.boot()
	return w
}

// boot starts another service on the same database, as a restarted server does.
func (w *world) boot() {
	sealer, err := notify.OpenSealer(w.keys)
	w.must(err)
	w.s = notify.New(notify.Options{Sealer: sealer, Store: store.Adapt[notify.Tx](w.db), Clock: func() time.Time { return w.now },
		Log:       slog.New(slog.DiscardHandler),
		PublicURL: func() string { return "https://fl.example.org" }, MailState: func() domain.MailState { return domain.MailQueued },
		MailWake: func() {}})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) in(fn func(tx *store.Tx) error) {
	w.t.Helper()
	w.must(w.db.InTx(w.ctx, fn))
}

// passes lets time pass, and the service do what is due then.
func (w *world) passes(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.must(w.s.Settle(w.ctx))
	w.must(w.s.SendDue(w.ctx))
}

// ended writes the notice of a run, as the runs package does.
func (w *world) ended(r domain.NoticeRun, k domain.NoticeKind) {
	w.t.Helper()
	w.in(func(tx *store.Tx) error {
		return tx.InsertNotice(w.ctx, &domain.Notice{Kind: k, FederationID: w.fed.ID, About: "run:" + r.Name, At: w.now,
			Facts: domain.NoticeFacts{Run: &r}})
	})
}

// mails returns the mails to a person, the oldest first.
func (w *world) mails(to domain.Person) (out []domain.Mail) {
	w.t.Helper()
	w.must(w.db.View(w.ctx, func(tx *store.Tx) error {
		all, err := tx.Mails(w.ctx, 0, 1000)
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].To == to.Email {
				out = append(out, all[i])
			}
		}
		return err
	}))
	return out
}

func newWorldOnSQLite(t *testing.T) *world { return newWorld(t, storetest.SQLite(t)) }
