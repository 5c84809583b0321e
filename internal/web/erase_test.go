package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// Of an erased person nothing is left but a label, on no page and in no table that tells people's names, and the audit's chain is whole.
// Someone who changes an erased entry afterwards is found.
func TestErasingAPersonLeavesALabelAndAWholeAudit(t *testing.T) {
	onBoth(t, func(s *site) {
		ctx, t := s.T.Context(), s.T
		r := s.Request("goner", s.Fed, domain.Pending)
		id := fmt.Sprint(r.PersonID)
		if a := s.Post("admin", "/admin/people/"+id+"/erase", "confirmed", "yes"); a.Status != http.StatusSeeOther ||
			!strings.Contains(s.Get("admin", "/admin/people/"+id).Body, "goner@example.org") {
			t.Fatalf("erased although they wait for access: %d %s", a.Status, a.Body)
		}
		reject := s.Post("manager", "/f/fed/requests/reject", "id", fmt.Sprint(r.ID), "reason", "goner has no data", "confirmed", "yes")
		if reject.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", reject.Status, reject.Body)
		}
		if err := s.Server.Accounts.Grant(ctx, domain.System, s.Fed.ID, "goner@example.org", domain.RoleManager); err != nil {
			t.Fatal(err)
		}
		token, _, err := s.Server.Accounts.CreateToken(ctx, domain.System, r.PersonID, "laptop", domain.ScopeAll, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for path, body := range map[string]string{"": `{"uses":1,"days":1}`,
			"/import": `{"emails":"friend@example.org","days":1,"auto":false}`} {
			if a := s.Bearer(token, http.MethodPost, "/api/v1/federations/fed/invitations"+path, body); a.Status >= http.StatusMultipleChoices {
				t.Fatalf("inviting with a token: %d %s", a.Status, a.Body)
			}
		}
		dump := func() string {
			var out strings.Builder
			for _, path := range []string{"/admin/audit", "/admin/audit.csv", "/admin/people", "/admin/mail", "/f/fed/requests?state=all",
				"/f/fed/invites",
				"/f/fed/settings", "/api/v1/people", "/api/v1/federations/fed/requests", "/api/v1/federations/fed/roles", "/api/v1/mails",
				"/api/v1/audit?limit=200"} {
				out.WriteString(s.Get("admin", path).Body)
			}
			if err := s.Server.DB.View(ctx, func(tx *store.Tx) error {
				mails, err := tx.Mails(ctx, 0, 100)
				invited, err2 := tx.Invitations(ctx, s.Fed.ID, 0, 100)
				fmt.Fprintf(&out, "%+v %+v", mails, invited)
				return errors.Join(err, err2)
			}); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		if before := dump(); !strings.Contains(before, "goner@example.org") || !strings.Contains(before, "CreatedBy:goner (token laptop)") {
			t.Fatal("nothing names them before")
		}
		a := s.API(http.MethodPost, "/people/"+id+"/erase", "")
		if a.Status != http.StatusOK || !strings.Contains(a.Body, "Erased person "+id) {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		after := dump()
		if i := strings.Index(after, "goner"); i >= 0 {
			t.Errorf("still named: …%s…", after[max(0, i-300):min(len(after), i+100)])
		}
		if !strings.Contains(after, "Erased person "+id) || !strings.Contains(after, "person.erased") {
			t.Error("no label, or no entry of the erasure")
		}
		verdict := func() (v domain.AuditVerdict) {
			t.Helper()
			if err := s.Server.DB.View(ctx, func(tx *store.Tx) (err error) { v, err = tx.CheckAudit(ctx); return err }); err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := verdict(); !v.Whole() || v.Erased < 2 {
			t.Errorf("%+v", v)
		}
		if a := s.API(http.MethodPost, "/people/"+id+"/erase", ""); a.Status != http.StatusConflict {
			t.Errorf("twice: %d %s", a.Status, a.Body)
		}
		if a := s.API(http.MethodPost, "/people/"+fmt.Sprint(s.Persons["admin"].ID)+"/erase", ""); a.Status != http.StatusConflict {
			t.Errorf("an admin: %d %s", a.Status, a.Body)
		}
	})
}
