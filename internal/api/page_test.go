package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A client that asks for pages gets the entries of the whole list in the same order, each once.
func TestListsArePaged(t *testing.T) {
	s := newSite(t)
	s.FillRuns(5, 1, 1)
	s.Put(func(tx *store.Tx) error {
		for i := range 3 {
			m := domain.Mail{To: "a@example.org", Subject: fmt.Sprint(i), State: domain.MailSent, CreatedAt: time.Now()}
			if err := tx.InsertMail(t.Context(), &m); err != nil {
				return err
			}
		}
		return nil
	})
	for path, key := range map[string]string{"/api/v1/federations": "slug", "/api/v1/apps": "hash", "/api/v1/mails": "id",
		"/api/v1/federations/fed/runs": "name"} {
		list := func(query string) (keys []string) {
			a := s.Get("admin", path+query)
			var all []map[string]any
			if err := json.Unmarshal([]byte(a.Body), &all); err != nil || a.Status != http.StatusOK {
				t.Fatal(path+query, a.Status, a.Body)
			}
			for _, v := range all {
				keys = append(keys, fmt.Sprint(v[key]))
			}
			return keys
		}
		all := list("")
		if len(all) < 2 {
			t.Fatalf("%s has %d entries", path, len(all))
		}
		var paged []string
		for part := list("?limit=1"); len(part) == 1 && len(paged) <= len(all); part = list("?limit=1&after=" + url.QueryEscape(part[0])) {
			paged = append(paged, part[0])
		}
		if !slices.Equal(all, paged) {
			t.Errorf("%s: %v, in pages %v", path, all, paged)
		}
		for _, query := range []string{"?limit=0", "?limit=501", "?after=no%00thing"} {
			if a := s.Get("admin", path+query); a.Status < 400 || a.Status >= 500 {
				t.Errorf("%s%s is answered with %d", path, query, a.Status)
			}
		}
	}
}
