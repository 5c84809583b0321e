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

// A domain in letters beyond ASCII is the same as its form that begins with xn--; who asks with either is one person.
func TestEitherFormOfADomainIsOnePerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 5)
		first, err := w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: "ada@münchen.example", Name: "\u202eAda\u200b\u00a0Lovelace", Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: "\ufeffAda@XN--MNCHEN-3YA.example", Name: "Ada", Address: "192.0.2.2"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.s.Verify(w.ctx, strings.ToLower(strings.ReplaceAll(first.Ref, "-", " ")), w.code("ada@xn--mnchen-3ya.example"), domain.Person{})
		if err != nil || r.Email != "ada@xn--mnchen-3ya.example" || r.Name != "Ada Lovelace" {
			t.Errorf("%+v, %v", r, err)
		}
		if second.ID != r.ID || second.PersonID != r.PersonID {
			t.Errorf("the second form is request %d of person %d, not %d of %d", second.ID, second.PersonID, r.ID, r.PersonID)
		}
	})
}

func TestFromAskingToAPartition(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	r := w.ask("a@example.org")
	code := w.code("a@example.org")
	r, err := w.s.Verify(w.ctx, strings.ToLower(r.Ref), " "+strings.ToLower(strings.ReplaceAll(code, "-", ""))+" ", domain.Person{}) // as people type
	if err != nil || r.State != domain.Pending || r.Partition != -1 {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = w.s.Verify(w.ctx, r.Ref, code, domain.Person{})
	w.wantCode(err, domain.Expired, "code") // a code works once
	rs, err := w.s.Approve(w.ctx, manager, []int64{r.ID}, onboarding.NextFreePartition)
	if err != nil || rs[0].Partition != 0 || rs[0].DecidedBy != "Manager" {
		t.Fatalf("%+v, %v", rs, err)
	}
	r, err = w.s.Revoke(w.ctx, manager, r.ID, "left the study")
	if err != nil || r.State != domain.Revoked {
		t.Fatal(r, err)
	}
	if got := w.approved("b@example.org"); got.Partition != 0 {
		t.Errorf("the freed partition was not given again: %d", got.Partition)
	}
	want := "request.revoked request.approved request.pending request.unverified"
	if got := strings.Join(w.audits(r.Ref), " "); got != want {
		t.Errorf("audit %q, want %q", got, want)
	}
}

func TestAskingNeverTellsWhoIsKnown(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	known := w.approved("known@example.org")
	w.clock.pass(time.Hour)
	again, unknown := w.ask("KNOWN@example.org"), w.ask("new@example.org")
	if again.ID != known.ID || unknown.Ref == "" {
		t.Errorf("asking twice made a second request: %+v", again)
	}
	for _, to := range []string{"known@example.org", "new@example.org"} {
		if w.code(to) == "" {
			t.Errorf("%s got no code", to)
		}
	}
	// A code for a request that is further on proves who it is and moves nothing.
	got, err := w.s.Verify(w.ctx, again.Ref, w.code("known@example.org"), domain.Person{})
	if err != nil || got.State != domain.Approved {
		t.Errorf("%s, %v", got.State, err)
	}
	_, wrong := w.s.Verify(w.ctx, "ZZZZ-ZZZZ", "22222222", domain.Person{})
	_, other := w.s.Verify(w.ctx, unknown.Ref, "22222222", domain.Person{})
	if wrong == nil || other == nil || wrong.Error() != other.Error() {
		t.Errorf("an unknown reference says %q, a known one %q", wrong, other)
	}
}

func TestBadAnswersStandAtTheirFields(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	_, err := w.s.Ask(w.ctx, onboarding.AskInput{FederationID: w.fed.ID, Email: "no address", Name: " \t", Organisation: strings.Repeat("o", 200), Message: strings.Repeat("m", 3000), Address: "a"})
	for _, field := range []string{"email", "name", "organisation", "message"} {
		w.wantCode(err, domain.Invalid, field)
	}
	if n := len(w.mails()); n != 0 {
		t.Errorf("%d mails were written", n)
	}
	_, err = w.s.Ask(w.ctx, onboarding.AskInput{FederationID: 999, Email: "a@example.org", Name: "N", Address: "a"})
	w.wantCode(err, domain.NotFound, "")
}

func TestCodesAreLimited(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	r := w.ask("a@example.org")
	for left := domain.CodeTries - 1; left >= 0; left-- {
		_, err := w.s.Verify(w.ctx, r.Ref, "22222222", domain.Person{})
		w.wantCode(err, domain.Invalid, "code")
	}
	_, err := w.s.Verify(w.ctx, r.Ref, w.code("a@example.org"), domain.Person{})
	w.wantCode(err, domain.Expired, "code") // the right one, too late

	w.wantCode(w.s.Resend(w.ctx, r.Ref, "b"), domain.Limited, "") // within the minute
	w.wantCode(w.s.Resend(w.ctx, "ZZZZ-ZZZZ", "b"), "", "")       // an unknown one says nothing
	for sent := 1; sent < domain.CodeSends; sent++ {
		w.clock.pass(domain.CodeSendGap)
		w.wantCode(w.s.Resend(w.ctx, r.Ref, "b"), "", "")
	}
	w.clock.pass(domain.CodeSendGap)
	w.wantCode(w.s.Resend(w.ctx, r.Ref, "b"), domain.Limited, "")
	if n := len(w.mails()); n != domain.CodeSends {
		t.Errorf("%d mails for one request", n)
	}
	w.clock.pass(domain.CodeLife + time.Second)
	_, err = w.s.Verify(w.ctx, r.Ref, w.code("a@example.org"), domain.Person{})
	w.wantCode(err, domain.Expired, "code")
	w.clock.pass(24 * time.Hour)
	w.wantCode(w.s.Resend(w.ctx, r.Ref, "b"), "", "") // the next day
	if got, err := w.s.Verify(w.ctx, r.Ref, w.code("a@example.org"), domain.Person{}); err != nil || got.State != domain.Pending {
		t.Errorf("%s, %v", got.State, err)
	}
}

func TestOneAddressCannotAskForEver(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = w.s.Ask(w.ctx, onboarding.AskInput{FederationID: w.fed.ID, Email: fmt.Sprintf("a%d@example.org", n), Name: "N", Address: "198.51.100.1"})
	}
	w.wantCode(err, domain.Limited, "")
	if n > 31 {
		t.Errorf("%d were taken", n)
	}
	w.ask("other@example.org") // from another address
}

func TestUnverifiedRequestsExpire(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	r, kept := w.ask("a@example.org"), w.pending("b@example.org")
	w.clock.pass(domain.RequestsLife + time.Minute)
	if n, err := w.s.ExpireOld(w.ctx); n != 1 || err != nil {
		t.Fatalf("%d expired, %v", n, err)
	}
	got, err := w.s.Request(w.ctx, r.ID)
	other, err2 := w.s.Request(w.ctx, kept.ID)
	if err != nil || err2 != nil || got.State != domain.ExpiredReq || other.State != domain.Pending {
		t.Errorf("%s %s %v %v", got.State, other.State, err, err2)
	}
	if again := w.ask("a@example.org"); again.ID == r.ID {
		t.Error("an expired request was taken up again")
	}
}

func TestDecisionsOnWhatIsDecided(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 2)
	a, b := w.approved("a@example.org"), w.pending("b@example.org")
	_, err := w.s.Approve(w.ctx, manager, []int64{b.ID}, a.Partition)
	w.wantCode(err, domain.Conflict, "partition")
	if !strings.Contains(fmt.Sprint(err), "next free is 1") {
		t.Errorf("the next free one is not named: %v", err)
	}
	_, err = w.s.Approve(w.ctx, manager, []int64{b.ID}, 2)
	w.wantCode(err, domain.Invalid, "partition")
	_, err = w.s.Approve(w.ctx, manager, []int64{a.ID}, onboarding.NextFreePartition)
	w.wantCode(err, domain.Conflict, "")
	_, err = w.s.Reject(w.ctx, manager, b.ID, "  ")
	w.wantCode(err, domain.Invalid, "reason")
	_, err = w.s.Resize(w.ctx, manager, w.fed.ID, 0)
	w.wantCode(err, domain.Invalid, "partitions")
	if _, err := w.s.Approve(w.ctx, manager, []int64{b.ID}, 1); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Resize(w.ctx, manager, w.fed.ID, 1)
	w.wantCode(err, domain.Conflict, "partitions")
	if !strings.Contains(fmt.Sprint(err), b.Name) {
		t.Errorf("the holder is not named: %v", err)
	}
	c, d := w.pending("c@example.org"), w.pending("d@example.org")
	if _, err := w.s.Resize(w.ctx, manager, w.fed.ID, 3); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Approve(w.ctx, manager, []int64{c.ID, d.ID}, onboarding.NextFreePartition)
	w.wantCode(err, domain.Conflict, "partition")
	if got, err := w.s.Request(w.ctx, c.ID); err != nil || got.State != domain.Pending {
		t.Errorf("one of a batch that failed is %s, %v", got.State, err)
	}
}
