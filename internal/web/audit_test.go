package web_test

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
	s.Put(func(tx *store.Tx) error {
		for i, e := range []domain.AuditEntry{
			{At: at, Actor: domain.Actor{Kind: "person", Name: "Ada"}, Action: "test.one", ObjectKind: "run", ObjectID: "cnn-12",
				FederationID: s.Fed.ID, Detail: map[string]string{"from": "queued", "by": "=1+1"}},
			{At: at.Add(time.Second), Actor: domain.Actor{Kind: "token", Name: "100% sure"}, Action: "test.two", ObjectKind: "settings", ObjectID: "site"},
			{At: at.Add(2 * time.Second), Actor: domain.System, Action: "test.two", ObjectKind: "run", ObjectID: "CNN-13", FederationID: s.Fed.ID},
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
		page := s.Get("admin", "/admin/audit?"+query)
		if got := strings.Join(entriesOf(page.Body), ", "); got != want || page.Status != http.StatusOK {
			t.Errorf("%s: %d %q, want %q", query, page.Status, got, want)
		}
		if want == "" && !strings.Contains(page.Body, "Nothing matches") {
			t.Errorf("%s: an empty page does not say so", query)
		}
		rows, err := csv.NewReader(strings.NewReader(s.Get("admin", "/admin/audit.csv?"+query).Body)).ReadAll()
		if n := len(entriesOf(page.Body)); err != nil || len(rows) != n+1 {
			t.Errorf("%s: the file has %d rows, the page %d: %v", query, len(rows)-1, n, err)
		}
	}
	one := s.Get("admin", "/admin/audit.csv?action=test.one").Body
	if !strings.Contains(one, "Ada,test.one,run,cnn-12,fed,by: =1+1; from: queued") || strings.Contains(one, ",=") {
		t.Errorf("the file says %q", one)
	}
	if page := s.Get("admin", "/admin/audit?action=test.one").Body; !strings.Contains(page, `href="/f/fed/runs/cnn-12"`) ||
		!strings.Contains(page, `<option value="test.two">`) || !strings.Contains(page, "1 entry matches") {
		t.Error("an entry leads nowhere, or a choice is missing")
	}
	if a := s.Get("admin", "/admin/audit?from=yesterday"); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, `value="yesterday"`) || !strings.Contains(a.Body, "is no day") {
		t.Errorf("a day that is none: %d", a.Status)
	}
}

// Every entry is on one page of the audit, whatever comes meanwhile.
func TestTheAuditIsPaged(t *testing.T) {
	s := newSite(t)
	add := func(n int) {
		s.Put(func(tx *store.Tx) error {
			for i := range n {
				if err := tx.InsertAudit(t.Context(), domain.AuditEntry{At: s.Now(), Actor: domain.System, Action: "test.paged", ObjectKind: "run",
					ObjectID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	add(120)
	seen, path, pages := map[string]bool{}, "/admin/audit?action=test.paged", 0
	for path != "" {
		body := s.Get("admin", path).Body
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
	if page := s.Get("admin", "/admin/audit").Body; !strings.Contains(page, "chain whole") ||
		!strings.Contains(page, "since "+s.Now().UTC().Format("2 Jan 2006")) {
		t.Error("the page does not say that the chain is whole")
	}
	if a := s.Get("admin", "/api/v1/audit/check"); !strings.Contains(a.Body, `"whole":true`) {
		t.Errorf("the API says %s", a.Body)
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(s.Config.Database, "sqlite:")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE audit SET actor_name = 'nobody' WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	page := s.Get("admin", "/admin/audit").Body
	for _, words := range []string{"chain broken", "Entry 3 of ", "The 2 entries before it fit", `href="/admin/audit?before=4"`} {
		if !strings.Contains(page, words) {
			t.Errorf("the page lacks %q", words)
		}
	}
	if a := s.Get("admin", "/api/v1/audit/check"); !strings.Contains(a.Body, `"whole":false,"entries":2`) ||
		!strings.Contains(a.Body, `"fault":3`) {
		t.Errorf("the API says %s", a.Body)
	}
	if a := s.Post("admin", "/admin/audit/check"); a.Status != http.StatusSeeOther {
		t.Errorf("a check from the page: %d", a.Status)
	}
}
