package server

import (
	"database/sql"
	"encoding/csv"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// entriesOf are the objects of the audit entries that a page shows, in their order.
func entriesOf(page string) (out []string) {
	for _, m := range regexp.MustCompile(`(?s)<tr id="entry-\d+">.*?<td>([^<]*)</td>`).FindAllStringSubmatch(page, -1) {
		out = append(out, strings.TrimSpace(m[1]))
	}
	return out
}

// The audit is looked through by who, what, on what, where and when; each filter is in the address, and the file has what the page has.
func TestTheAuditIsLookedThrough(t *testing.T) {
	s := newSite(t)
	at := time.Date(2026, 3, 4, 23, 59, 59, 0, time.UTC)
	s.put(func(tx *store.Tx) error {
		for i, e := range []domain.AuditEntry{
			{At: at, Actor: domain.Actor{Kind: "person", Name: "Ada"}, Action: "test.one", ObjectKind: "run", ObjectID: "cnn-12", FederationID: s.fed.ID, Detail: map[string]string{"from": "queued", "by": "=1+1"}},
			{At: at.Add(time.Second), Actor: domain.Actor{Kind: "token", Name: "100% sure"}, Action: "test.two", ObjectKind: "settings", ObjectID: "site"},
			{At: at.Add(2 * time.Second), Actor: domain.System, Action: "test.two", ObjectKind: "run", ObjectID: "CNN-13", FederationID: s.fed.ID},
		} {
			if err := tx.InsertAudit(t.Context(), e); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	})
	for query, want := range map[string]string{
		"action=test.two": "test: two, test: two", "actor=ADA": "test: one", "actor=0%25": "test: two", "object=cnn": "test: two, test: one", "object=cnn&federation=fed&actor=sys": "test: two",
		"federation=other&object=cnn": "", "federation=nowhere": "", "from=2026-03-04&until=2026-03-04": "test: one", "from=2026-03-05&until=2026-03-05": "test: two, test: two", "until=2026-03-03": "",
	} {
		page := s.get("admin", "/admin/audit?"+query)
		if got := strings.Join(entriesOf(page.body), ", "); got != want || page.status != http.StatusOK {
			t.Errorf("%s: %d %q, want %q", query, page.status, got, want)
		}
		if want == "" && !strings.Contains(page.body, "Nothing matches") {
			t.Errorf("%s: an empty page does not say so", query)
		}
		rows, err := csv.NewReader(strings.NewReader(s.get("admin", "/admin/audit.csv?"+query).body)).ReadAll()
		if n := len(entriesOf(page.body)); err != nil || len(rows) != n+1 {
			t.Errorf("%s: the file has %d rows, the page %d: %v", query, len(rows)-1, n, err)
		}
	}
	one := s.get("admin", "/admin/audit.csv?action=test.one").body
	if !strings.Contains(one, "Ada,test.one,run,cnn-12,fed,by: =1+1; from: queued") || strings.Contains(one, ",=") {
		t.Errorf("the file says %q", one)
	}
	if page := s.get("admin", "/admin/audit?action=test.one").body; !strings.Contains(page, `href="/f/fed/runs/cnn-12"`) || !strings.Contains(page, `<option value="test.two">`) || !strings.Contains(page, "1 entry matches") {
		t.Error("an entry leads nowhere, or a choice is missing")
	}
	if a := s.get("admin", "/admin/audit?from=yesterday"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="yesterday"`) || !strings.Contains(a.body, "is no day") {
		t.Errorf("a day that is none: %d", a.status)
	}
}

// Every entry is on one page of the audit, whatever comes meanwhile.
func TestTheAuditIsPaged(t *testing.T) {
	s := newSite(t)
	add := func(n int) {
		s.put(func(tx *store.Tx) error {
			for i := range n {
				if err := tx.InsertAudit(t.Context(), domain.AuditEntry{At: s.now(), Actor: domain.System, Action: "test.paged", ObjectKind: "run", ObjectID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	add(120)
	seen, path, pages := map[string]bool{}, "/admin/audit?action=test.paged", 0
	for path != "" {
		body := s.get("admin", path).body
		for _, id := range regexp.MustCompile(`id="entry-(\d+)"`).FindAllString(body, -1) {
			if seen[id] {
				t.Errorf("%s is on two pages", id)
			}
			seen[id] = true
		}
		add(1)
		pages++
		next := regexp.MustCompile(`href="([^"]*)">Older 50`).FindStringSubmatch(body)
		if path = ""; next != nil {
			path = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	if pages != 3 || len(seen) != 120 {
		t.Errorf("%d entries on %d pages", len(seen), pages)
	}
}

// The page and the API say that the audit is whole, and since when; after a change in the database they name the entry that does not fit.
func TestTheAuditSaysWhetherItIsWhole(t *testing.T) {
	s := newSite(t)
	if page := s.get("admin", "/admin/audit").body; !strings.Contains(page, "chain whole") || !strings.Contains(page, "since "+s.now().UTC().Format("2 Jan 2006")) {
		t.Error("the page does not say that the chain is whole")
	}
	if a := s.get("admin", "/api/v1/audit/check"); !strings.Contains(a.body, `"whole":true`) {
		t.Errorf("the API says %s", a.body)
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(s.app.o.Config.Database, "sqlite:")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE audit SET actor_name = 'nobody' WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	page := s.get("admin", "/admin/audit").body
	for _, words := range []string{"chain broken", "Entry 3 of ", "The 2 entries before it fit", `href="/admin/audit?before=4"`} {
		if !strings.Contains(page, words) {
			t.Errorf("the page lacks %q", words)
		}
	}
	if a := s.get("admin", "/api/v1/audit/check"); !strings.Contains(a.body, `"whole":false,"entries":2`) || !strings.Contains(a.body, `"fault":3`) {
		t.Errorf("the API says %s", a.body)
	}
	if a := s.post("admin", "/admin/audit/check"); a.status != http.StatusSeeOther {
		t.Errorf("a check from the page: %d", a.status)
	}
}
