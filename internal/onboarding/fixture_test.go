package onboarding_test

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
)

var manager = domain.Actor{Kind: "person", PersonID: 1, Name: "Manager"}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a federation and what people do there.
type world struct {
	t     testing.TB
	ctx   context.Context
	db    *store.DB
	s     *onboarding.Service
	clock *clock
	fed   domain.Federation
	asks  int
}

func newWorld(t testing.TB, db *store.DB, partitions int) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), db: db, clock: &clock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}}
	w.s = onboarding.New(onboarding.Options{Store: store.Adapt[onboarding.Tx](db), Events: events.NewBus(), Clock: w.clock.read, PublicURL: func() string { return "https://fl.example.org" },
		Pin: func() string { return "public" }, MailState: func() domain.MailState { return domain.MailHeld }, MailWake: func() {}, NodesChanged: func(int64) {}})
	var err error
	if w.fed, err = w.s.CreateFederation(w.ctx, manager, domain.Federation{Slug: "cardio", Name: "Cardio", TotalPartitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return w
}

// asked asks and does what follows the answer; it returns the request that it came to, under the id that the asker was told.
func (w *world) asked(in onboarding.AskInput) (domain.Request, error) {
	w.t.Helper()
	r, err := w.s.Ask(w.ctx, in)
	if err != nil || r.ID != 0 {
		return r, err
	}
	if err := w.s.SettleAsks(w.ctx); err != nil {
		return r, err
	}
	err = w.db.View(w.ctx, func(tx *store.Tx) error {
		a, err := tx.AskByRef(w.ctx, r.Ref)
		if err != nil {
			return err
		}
		ref := r.Ref
		r, err = tx.RequestByID(w.ctx, a.RequestID)
		r.Ref = ref
		return err
	})
	return r, err
}

func (w *world) ask(email string) domain.Request {
	w.t.Helper()
	w.asks++
	r, err := w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: email, Name: "N " + email, Address: fmt.Sprintf("192.0.2.%d", w.asks)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

var codeInMail = regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b`)

// code reads the newest code that was mailed to an address.
func (w *world) code(email string) string {
	w.t.Helper()
	for _, m := range w.mails() {
		if m.To == email {
			for _, found := range codeInMail.FindAllString(m.Text, -1) {
				if r, err := w.s.ByRef(w.ctx, found); err != nil || r.ID == 0 { // the reference has the same form
					return found
				}
			}
		}
	}
	w.t.Fatalf("no code was mailed to %s", email)
	return ""
}

func (w *world) mails() (out []domain.Mail) {
	w.t.Helper()
	err := w.db.View(w.ctx, func(tx *store.Tx) (err error) { out, err = tx.Mails(w.ctx, 0, 1000); return err })
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) pending(email string) domain.Request {
	w.t.Helper()
	r := w.ask(email)
	r, err := w.s.Verify(w.ctx, r.Ref, w.code(email), domain.Person{})
	if err != nil || r.State != domain.Pending {
		w.t.Fatalf("%s: %v", r.State, err)
	}
	return r
}

func (w *world) approved(email string) domain.Request {
	w.t.Helper()
	r := w.pending(email)
	rs, err := w.s.Approve(w.ctx, manager, []int64{r.ID}, onboarding.NextFreePartition)
	if err != nil {
		w.t.Fatal(err)
	}
	return rs[0]
}

func (w *world) audits(ref string) (out []string) {
	w.t.Helper()
	err := w.db.View(w.ctx, func(tx *store.Tx) error {
		es, err := tx.AuditEntries(w.ctx, domain.AuditFilter{Limit: 5000})
		for _, e := range es {
			if ref == "" || e.ObjectID == ref {
				out = append(out, e.Action)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// wantCode fails unless err has the code, and, where a field is named, stands at it.
func (w *world) wantCode(err error, code domain.Code, field string) {
	w.t.Helper()
	if got := domain.CodeOf(err); got != code {
		w.t.Errorf("got %q (%v), want %q", got, err, code)
		return
	}
	if field == "" {
		return
	}
	for _, e := range domain.Errors(nil).With(err) {
		if e.Field == field {
			return
		}
	}
	w.t.Errorf("no error stands at %q: %v", field, err)
}
