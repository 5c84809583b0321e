package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// erasable are names in the spellings that they have in texts; SQLite knows upper and lower case of ASCII alone.
var erasable = []struct{ name, other, email, second string }{
	{"Ann Other", "ANN OTHER", "ann@example.org", "a.other@example.com"},
	{"Иван Петров", "ИВАН ПЕТРОВ", "ivan@example.org", "петров@example.com"},
	{"Élodie <É>", "élodie <é>", "elodie@example.org", "élodie@example.com"},
}

// othersAddress begins like an address that is erased.
const othersAddress = "ann@example.org.uk"

// Whatever a person did, with a token too, no column names them afterwards, and nothing that names others is changed.
func TestAnErasedPersonIsInNoColumn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, admin := federation(t, db), person(t, db, "admin@example.org")
		in(t, db, func(tx *store.Tx) error {
			return tx.PutAppVersion(ctx, domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("fab"), CreatedAt: now})
		})
		for i, who := range erasable {
			p := domain.Person{Email: who.email, Name: who.name, Organisation: "Clinic (North)", CreatedAt: now}
			in(t, db, func(tx *store.Tx) error {
				return errors.Join(tx.InsertPerson(ctx, &p), tx.InsertIdentity(ctx, &domain.Identity{PersonID: p.ID, Provider: "oidc",
					Subject: fmt.Sprint(i), Login: fmt.Sprintf("login-%d", i), Name: who.name, Email: who.second}))
			})
			for j, name := range []string{who.name, who.name + " (token laptop)", who.other, who.other + " (token laptop)"} {
				in(t, db, func(tx *store.Tx) error { return actBy(tx, f.ID, admin.ID, fmt.Sprintf("%d-%d", i, j), name) })
			}
			in(t, db, func(tx *store.Tx) error {
				return written(tx, f.ID, p.ID, admin.ID, i, who.other, who.email, who.second)
			})
			for _, text := range []string{who.name, who.second} {
				if found := textsWith(t, db, text); len(found) == 0 {
					t.Fatalf("nothing says %q before", text)
				}
			}
			eraseWith(t, db, p)
			for _, text := range []string{who.name, who.other, who.email, who.second, fmt.Sprintf("login-%d", i), fmt.Sprint("own answer ", i)} {
				if found := textsWith(t, db, text); len(found) > 0 {
					t.Errorf("%q is still in %s", text, strings.Join(found, "; "))
				}
			}
			for _, text := range []string{"Other Clinic", "Kept Answer", "Maryann Otherson", othersAddress} {
				if len(textsWith(t, db, text)) == 0 {
					t.Errorf("%q is gone", text)
				}
			}
			if len(textsWith(t, db, fmt.Sprintf("Stopped by %s.", domain.ErasedLabel(p.ID)))) == 0 {
				t.Error("nobody stopped the runs")
			}
		}
		if v := checkAudit(t, db); !v.Whole() || v.Erased == 0 {
			t.Errorf("%+v", v)
		}
	})
}

// actBy writes a person down as the one who did something, everywhere where only their name is kept.
func actBy(tx *store.Tx, fed, requester int64, id, name string) error {
	stopped := "Stopped by " + name + "."
	run := domain.Run{FederationID: fed, Name: "run-" + id, State: domain.Stopped, AppHash: "h", AppID: "p/n", CreatedBy: name, CreatedAt: now,
		Cause: domain.Cause{Code: domain.CauseStoppedBy, Message: stopped}, TotalPartitions: 1}
	if err := tx.InsertRun(ctx, &run); err != nil {
		return err
	}
	run.DeletedAt, run.DeletedBy = now, name
	entry := domain.AuditEntry{At: now, Actor: domain.System, Action: "run.purged", ObjectKind: "run", ObjectID: run.Name}
	deleted, ended, approved := entry, entry, entry
	deleted.Detail, ended.Detail = map[string]string{"deleted_by": name}, map[string]string{"cause": stopped}
	approved.Actor.Name = "invitation by " + name
	node := []domain.NoticeNode{{Name: name}}
	facts := domain.NoticeFacts{Run: &domain.NoticeRun{Cause: stopped, Who: node}, Nodes: node}
	return errors.Join(tx.MarkRunDeleted(ctx, run),
		tx.InsertRequest(ctx, &domain.Request{Ref: "R" + id, FederationID: fed, PersonID: requester, State: domain.Rejected,
			DecidedBy: name, CreatedAt: now}),
		tx.InsertRequest(ctx, &domain.Request{Ref: "I" + id, FederationID: fed, PersonID: requester, State: domain.Rejected,
			DecidedBy: "invitation by " + name, CreatedAt: now}),
		tx.InsertInvitation(ctx, &domain.Invitation{FederationID: fed, Hash: []byte("i" + id), CreatedBy: name, Uses: 1, CreatedAt: now}),
		tx.InsertRule(ctx, &domain.ApprovalRule{FederationID: fed, Kind: domain.RuleDomain, Value: id, CreatedBy: name, CreatedAt: now}),
		tx.InsertShare(ctx, &domain.Share{Hash: []byte("s" + id), FederationID: fed, RunID: run.ID, CreatedBy: name, CreatedAt: now}),
		tx.InsertWebhook(ctx, &domain.Webhook{FederationID: fed, Name: id, Shape: "json", CreatedBy: name, CreatedAt: now, Sealed: []byte{1}}),
		tx.PutPreset(ctx, "p/n", domain.Preset{Name: id, CreatedBy: name, CreatedAt: now}),
		tx.InsertNotice(ctx, &domain.Notice{Kind: domain.NoticeRunStopped, FederationID: fed, Facts: facts, At: now}),
		tx.InsertAudit(ctx, deleted), tx.InsertAudit(ctx, ended), tx.InsertAudit(ctx, approved))
}

// written is what is mailed, answered and sent to a person, and what is not theirs.
func written(tx *store.Tx, fed, id, admin int64, i int, name, email, second string) error {
	var errs []error
	mail := func(to, subject, text string) {
		errs = append(errs, tx.InsertMail(ctx, &domain.Mail{To: to, Subject: subject, Text: text, State: domain.MailSent, CreatedAt: now}))
	}
	mail(strings.ToUpper(email), "for them", "")
	mail(second, "for them", "")
	mail("admin@example.org", name+" asks to join Cardio", "- "+name+", Clinic (North)\n- "+name+", Other Clinic\n- Maryann Otherson\n"+
		"<"+email+">, "+second+" "+second+" "+othersAddress)
	answer, err := json.Marshal(map[string]string{"by": name + " (token laptop)"})
	errs = append(errs, err)
	for key, c := range map[string]domain.IdempotentCall{
		"own":   {PersonID: id, Answer: fmt.Sprintf(`{"a":"own answer %d"}`, i)},
		"named": {PersonID: admin, Answer: string(answer)},
		"login": {PersonID: admin, Answer: fmt.Sprintf(`{"login":"login-%d"}`, i)},
		"kept":  {PersonID: admin, Answer: `{"name":"Kept Answer"}`},
	} {
		c.KeyHash, c.CreatedAt = fmt.Sprint(key, i), now
		_, err := tx.ClaimCall(ctx, c)
		errs = append(errs, err)
	}
	for n, address := range []string{email, second} {
		hash := fmt.Sprintf("to %d-%d", i, n)
		invited := domain.Invitation{FederationID: fed, Hash: []byte(hash), Email: address, Uses: 1, CreatedAt: now}
		errs = append(errs, tx.InsertInvitation(ctx, &invited),
			tx.InsertAsk(ctx, domain.Ask{Ref: hash, FederationID: fed, Email: address, CreatedAt: now}))
	}
	return errors.Join(errs...)
}

// textsWith returns the rows that have a text, plain or as JSON.
func textsWith(t *testing.T, db *store.DB, text string) (out []string) {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	if err := db.View(ctx, func(tx *store.Tx) (err error) { all, err = tx.Rows(ctx); return err }); err != nil {
		t.Fatal(err)
	}
	for _, row := range all {
		if text != othersAddress {
			row = strings.ReplaceAll(row, othersAddress, "")
		}
		if strings.Contains(row, text) || strings.Contains(row, strings.Trim(string(quoted), `"`)) {
			out = append(out, row)
		}
	}
	return out
}
