package onboarding_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// invite makes an invitation and returns its link's secret.
func (w *world) invite(change func(*onboarding.InviteInput)) string {
	w.t.Helper()
	in := onboarding.InviteInput{FederationID: w.fed.ID, Uses: 1, Days: 7}
	change(&in)
	link, _, err := w.s.Invite(w.ctx, manager, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return secretOf(link)
}

func secretOf(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

// come asks by an invitation and enters the code.
func (w *world) come(email, secret string) (domain.Request, error) {
	w.t.Helper()
	w.asks++
	r, err := w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: email, Name: "N", Address: fmt.Sprintf("198.51.100.%d", w.asks), Invitation: secret})
	if err != nil {
		return r, err
	}
	return w.s.Verify(w.ctx, r.Ref, w.code(email), domain.Person{})
}

func TestInvitationsHaveUsesExpiryAndDomain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 5)
		auto := w.invite(func(in *onboarding.InviteInput) { in.Uses, in.Auto, in.Domain = 2, true, "Uni.Example" })
		for i, email := range []string{"a@uni.example", "b@uni.example"} {
			if r, err := w.come(email, auto); err != nil || r.State != domain.Approved || r.Partition != i {
				t.Fatalf("%s: %s, partition %d, %v", email, r.State, r.Partition, err)
			}
		}
		_, err := w.come("c@uni.example", auto)
		w.wantCode(err, domain.Expired, "") // used up
		late := w.invite(func(in *onboarding.InviteInput) { in.Days = 1 })
		_, err = w.come("x@example.org", late+"0")
		w.wantCode(err, domain.NotFound, "")
		w.clock.pass(25 * time.Hour)
		_, err = w.come("x@example.org", late)
		w.wantCode(err, domain.Expired, "")
		other := w.invite(func(in *onboarding.InviteInput) { in.Domain = "uni.example" })
		_, err = w.come("x@evil.example", other)
		w.wantCode(err, domain.Invalid, "email")
		if r, err := w.come("c@uni.example", other); err != nil || r.State != domain.Pending { // no automatic approval: a review
			t.Errorf("%s, %v", r.State, err)
		}
		all, err := w.s.Invitations(w.ctx, w.fed.ID, 0, 10)
		if err != nil || len(all) != 3 || all[2].Used != 2 || all[1].Used != 0 || all[0].Used != 1 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// Many who come by one link at once: as many are let in as it has uses, the others wait for a review.
func TestInvitationIsNotUsedMoreOftenThanItSays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 20)
		secret := w.invite(func(in *onboarding.InviteInput) { in.Uses, in.Auto = 3, true })
		refs := map[string]string{}
		for i := range 8 {
			email := fmt.Sprintf("p%d@example.org", i)
			r, err := w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: email, Name: "N", Address: email, Invitation: secret})
			if err != nil {
				t.Fatal(err)
			}
			refs[r.Ref] = w.code(email)
		}
		var wg sync.WaitGroup
		for ref, code := range refs {
			wg.Go(func() {
				if _, err := w.s.Verify(w.ctx, ref, code, domain.Person{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		counts, err := w.s.Counts(w.ctx, w.fed.ID)
		if err != nil || counts[domain.Approved] != 3 || counts[domain.Pending] != 5 {
			t.Errorf("%v, %v", counts, err)
		}
		w.checkHoldersOnly()
	})
}

func (w *world) checkHoldersOnly() {
	w.t.Helper()
	held, err := w.s.Holders(w.ctx, w.fed.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for p, r := range held {
		if n := strings.Count(strings.Join(w.audits(r.Ref), " "), "request.approved"); n != 1 {
			w.t.Errorf("partition %d was approved by %d audit rows", p, n)
		}
	}
}

func TestInvitationTakenBackLetsNobodyIn(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 5)
	secret := w.invite(func(in *onboarding.InviteInput) { in.Uses, in.Auto = 5, true })
	r, err := w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: "a@example.org", Name: "N", Address: "192.0.2.1", Invitation: secret})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := w.s.Invitations(w.ctx, w.fed.ID, 0, 10)
	w.wantCode(w.s.RevokeInvitation(w.ctx, manager, w.fed.ID+1, all[0].ID), domain.NotFound, "")
	if err := w.s.RevokeInvitation(w.ctx, manager, w.fed.ID, all[0].ID); err != nil {
		t.Fatal(err)
	}
	if r, err = w.s.Verify(w.ctx, r.Ref, w.code("a@example.org"), domain.Person{}); err != nil || r.State != domain.Pending { // was asked before: a review
		t.Errorf("%s, %v", r.State, err)
	}
	_, err = w.come("b@example.org", secret)
	w.wantCode(err, domain.Expired, "")
	if got := strings.Join(w.audits("1"), " "); got != "invitation.revoked invitation.made" {
		t.Errorf("audit %q", got)
	}
}

func TestImportInvitesEachAddressOnce(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 5)
	w.pending("known@example.org")
	_, err := w.s.ImportInvitations(w.ctx, manager, w.fed.ID, "a@example.org\nnobody\nb@example.org, also none\n", 7, true)
	w.wantCode(err, domain.Invalid, "emails")
	if got := len(w.to("a@example.org")); got != 0 {
		t.Fatalf("%d mails though one address was bad", got)
	}
	got, err := w.s.ImportInvitations(w.ctx, manager, w.fed.ID, "A@example.org\n\nAnna <b@example.org>; a@example.org\nknown@example.org", 7, true)
	if err != nil || strings.Join(got.Invited, " ") != "a@example.org b@example.org" || strings.Join(got.Known, " ") != "known@example.org" {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, err := w.s.ImportInvitations(w.ctx, manager, w.fed.ID, "a@example.org", 7, true); err != nil || len(again.Invited) != 0 || len(again.Known) != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	text := w.to("a@example.org")[0].Text
	link := text[strings.Index(text, "https://fl.example.org/i/"):]
	secret := secretOf(strings.Fields(link)[0])
	_, err = w.come("b@example.org", secret)
	w.wantCode(err, domain.Invalid, "email") // somebody else's
	if r, err := w.come("a@example.org", secret); err != nil || r.State != domain.Approved {
		t.Errorf("%s, %v", r.State, err)
	}
}

func TestRulesApproveByDomainAndOrganisation(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 2)
	if _, err := w.s.AddRule(w.ctx, manager, w.fed.ID, domain.RuleDomain, "@Uni.Example"); err != nil {
		t.Fatal(err)
	}
	org, err := w.s.AddRule(w.ctx, manager, w.fed.ID, domain.RuleOrganisation, "HuggingFace:Acme")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.s.AddRule(w.ctx, manager, w.fed.ID, domain.RuleDomain, "uni.example")
	w.wantCode(err, domain.Conflict, "value")
	_, err = w.s.AddRule(w.ctx, manager, w.fed.ID, domain.RuleOrganisation, "acme")
	w.wantCode(err, domain.Invalid, "value")
	if r, err := w.come("a@uni.example", ""); err != nil || r.State != domain.Approved || r.DecidedBy != "rule for uni.example" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := w.come("a@evil-uni.example", ""); err != nil || r.State != domain.Pending {
		t.Errorf("%+v, %v", r, err)
	}
	member := func(email, org string) {
		p := domain.Person{Email: email, Name: "M"}
		err := w.db.InTx(w.ctx, func(tx *store.Tx) error {
			if err := tx.InsertPerson(w.ctx, &p); err != nil {
				return err
			}
			return tx.InsertIdentity(w.ctx, &domain.Identity{PersonID: p.ID, Provider: "huggingface", Subject: email, Organisations: []string{org}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	member("m@example.org", "acme")
	member("n@example.org", "other")
	if r, err := w.come("n@example.org", ""); err != nil || r.State != domain.Pending {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := w.come("m@example.org", ""); err != nil || r.State != domain.Approved || r.Partition != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := w.come("b@uni.example", ""); err != nil || r.State != domain.Pending { // no partition is left: a manager decides
		t.Errorf("%+v, %v", r, err)
	}
	if err := w.s.DropRule(w.ctx, manager, w.fed.ID, org.ID); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.s.DropRule(w.ctx, manager, w.fed.ID, org.ID), domain.NotFound, "")
}

// What a federation asks of askers: an account, an address, an answer, an invitation.
func TestAskersProveWhatTheFederationAsks(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 5)
	w.s.Providers = 1
	ask := func(email string, asker domain.Person) (domain.Request, error) {
		return w.asked(onboarding.AskInput{FederationID: w.fed.ID, Email: email, Name: "N", Address: email, Asker: asker})
	}
	_, err := ask("a@example.org", domain.Person{})
	w.wantCode(err, domain.Unauthenticated, "")
	nameless := domain.Person{Name: "Account"} // a provider without a proven address
	err = w.db.InTx(w.ctx, func(tx *store.Tx) error {
		if err := tx.InsertPerson(w.ctx, &nameless); err != nil {
			return err
		}
		return tx.InsertIdentity(w.ctx, &domain.Identity{PersonID: nameless.ID, Provider: "github", Subject: "1", Login: "acc"})
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ask("a@example.org", nameless)
	if err != nil || r.State != domain.Unverified {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err = w.s.Verify(w.ctx, r.Ref, w.code("a@example.org"), nameless); err != nil || r.State != domain.Pending {
		t.Fatalf("%+v, %v", r, err)
	}
	var mine []domain.Identity
	if err := w.db.View(w.ctx, func(tx *store.Tx) (err error) { mine, err = tx.IdentitiesOf(w.ctx, r.PersonID); return err }); err != nil || len(mine) != 1 {
		t.Errorf("the account did not come along: %v, %v", mine, err)
	}
	_, err = ask("b@example.org", domain.Person{ID: r.PersonID, Email: "a@example.org"})
	w.wantCode(err, domain.Invalid, "email")

	set := func(a domain.Asking) {
		if w.fed, err = w.s.Configure(w.ctx, manager, w.fed.ID, "Cardio", "", a); err != nil {
			t.Fatal(err)
		}
	}
	set(domain.Asking{Proof: domain.ProofEither})
	if r, err := ask("c@example.org", domain.Person{}); err != nil || r.State != domain.Unverified {
		t.Errorf("a code alone: %+v, %v", r, err)
	}
	known := domain.Person{Email: "d@example.org", Name: "D"}
	if err := w.db.InTx(w.ctx, func(tx *store.Tx) error { return tx.InsertPerson(w.ctx, &known) }); err != nil {
		t.Fatal(err)
	}
	if r, err := ask("d@example.org", known); err != nil || r.State != domain.Pending || len(w.to("d@example.org")) != 0 {
		t.Errorf("a sign-in alone: %+v, %v", r, err)
	}
	set(domain.Asking{Proof: domain.ProofEither, AnswerNeeded: true})
	_, err = ask("e@example.org", domain.Person{})
	w.wantCode(err, domain.Invalid, "message")
	set(domain.Asking{Proof: domain.ProofEither, InvitationsOnly: true})
	_, err = ask("e@example.org", domain.Person{})
	w.wantCode(err, domain.Forbidden, "")
	if r, err := w.come("e@example.org", w.invite(func(*onboarding.InviteInput) {})); err != nil || r.State != domain.Pending {
		t.Errorf("by invitation: %+v, %v", r, err)
	}
	_, err = w.s.Configure(w.ctx, manager, w.fed.ID, "", strings.Repeat("x", 4001), domain.Asking{Proof: "none"})
	for _, field := range []string{"name", "description", "proof"} {
		w.wantCode(err, domain.Invalid, field)
	}
}
