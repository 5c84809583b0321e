package store_test

import (
	"fmt"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// Addresses of earlier versions, whose domain is not in ASCII, are rewritten at the start. Where a person has two accounts that way,
// either sign-in leads to the one that is left, with all that both had.
func TestAddressesOfEarlierVersionsAreRewritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		feds := make([]domain.Federation, 2)
		people := map[string]*domain.Person{}
		person := func(tx *store.Tx, email string, admin bool) (*domain.Person, error) {
			p := &domain.Person{Email: email, Name: email, Admin: admin, CreatedAt: time.Now()}
			people[email] = p
			return p, tx.InsertPerson(ctx, p)
		}
		asked := func(tx *store.Tx, ref string, fed int, p *domain.Person, state domain.RequestState, partition int) error {
			r := domain.Request{Ref: ref, FederationID: feds[fed].ID, PersonID: p.ID, State: state, Partition: partition, Name: p.Name, Email: p.Email, CreatedAt: time.Now()}
			return tx.InsertRequest(ctx, &r)
		}
		var alone, older, newer, twice, both *domain.Person
		err := db.InTx(ctx, func(tx *store.Tx) error {
			var errs []error
			for i := range feds {
				feds[i] = domain.Federation{Slug: fmt.Sprint("fed-", i), Name: "Fed", TotalPartitions: 10, Parallel: 1, CreatedAt: time.Now()}
				errs = append(errs, tx.InsertFederation(ctx, &feds[i]))
			}
			add := func(p **domain.Person, email string, admin bool) {
				var err error
				*p, err = person(tx, email, admin)
				errs = append(errs, err)
			}
			add(&alone, "one@bücher.example", false)
			add(&older, "two@bücher.example", true)
			add(&newer, "two@xn--bcher-kva.example", false)
			add(&twice, "three@bücher.example", false)
			add(&both, "three@xn--bcher-kva.example", false)
			errs = append(errs,
				asked(tx, "ALONE", 0, alone, domain.Approved, 0), asked(tx, "OLDER", 0, older, domain.Approved, 1), asked(tx, "NEWER", 1, newer, domain.Approved, 1),
				asked(tx, "TWICE", 0, twice, domain.Approved, 2), asked(tx, "BOTH", 0, both, domain.Pending, -1),
				tx.SetGrantedRole(ctx, older.ID, feds[0].ID, domain.RoleManager), tx.SetGrantedRole(ctx, newer.ID, feds[0].ID, domain.RoleViewer), tx.SetGrantedRole(ctx, older.ID, feds[1].ID, domain.RoleViewer),
				tx.InsertIdentity(ctx, &domain.Identity{PersonID: older.ID, Provider: "oidc", Subject: "two", Email: older.Email, EmailVerified: true, CreatedAt: time.Now()}),
				tx.InsertIdentity(ctx, &domain.Identity{PersonID: twice.ID, Provider: "oidc", Subject: "three", Email: twice.Email, EmailVerified: true, CreatedAt: time.Now()}))
			for _, err := range errs {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		entries := [2]int{}
		for i := range entries { // the second start finds nothing to do
			if err := db.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			if err := db.View(ctx, func(tx *store.Tx) (err error) { entries[i], err = tx.CountChained(ctx); return err }); err != nil {
				t.Fatal(err)
			}
		}
		if entries[0] != 3 || entries[1] != 3 {
			t.Errorf("after two starts the audit has %v entries", entries)
		}
		err = db.View(ctx, func(tx *store.Tx) error {
			is := func(email string, want *domain.Person) domain.Person {
				p, err := tx.PersonByEmail(ctx, email)
				if err != nil || p.ID != want.ID {
					t.Errorf("%s is person %d, want %d: %v", email, p.ID, want.ID, err)
				}
				return p
			}
			ofPerson := func(ref string, want *domain.Person) {
				if r, err := tx.RequestByRef(ctx, ref); err != nil || r.PersonID != want.ID {
					t.Errorf("%s is of person %d, want %d: %v", ref, r.PersonID, want.ID, err)
				}
			}
			signsIn := func(subject string, want *domain.Person) {
				if v, err := tx.IdentityBySubject(ctx, "oidc", subject); err != nil || v.PersonID != want.ID {
					t.Errorf("%s signs in as person %d, want %d: %v", subject, v.PersonID, want.ID, err)
				}
			}
			is("one@xn--bcher-kva.example", alone)
			if found, err := tx.Requests(ctx, domain.RequestFilter{FederationID: feds[0].ID, Search: "one@xn--bcher"}); err != nil || len(found) != 1 {
				t.Errorf("the address finds %d requests: %v", len(found), err)
			}

			if p := is("two@xn--bcher-kva.example", newer); !p.Admin {
				t.Error("the person is no admin any more")
			}
			if _, err := tx.PersonByID(ctx, older.ID); domain.CodeOf(err) != domain.NotFound {
				t.Errorf("the older account is there: %v", err)
			}
			signsIn("two", newer)
			ofPerson("OLDER", newer)
			ofPerson("NEWER", newer)
			for fed, want := range map[int]domain.Role{0: domain.RoleManager, 1: domain.RoleViewer} {
				if role, err := tx.GrantedRole(ctx, newer.ID, feds[fed].ID); err != nil || role != want {
					t.Errorf("in federation %d the person is %q, want %q: %v", fed, role, want, err)
				}
			}

			is("three@xn--bcher-kva.example", both)
			signsIn("three", both)
			ofPerson("BOTH", both)
			ofPerson("TWICE", twice) // one active request a person and federation: a manager decides
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
