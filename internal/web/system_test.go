package web_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/store/storetest"
)

// The page of the system says what runs here, on both databases, and nothing that is secret.
func TestTheSystemTellsOfItself(t *testing.T) {
	for name, kind := range map[string]string{"sqlite": "SQLite 3.", "postgres": "PostgreSQL 1"} {
		t.Run(name, func(t *testing.T) {
			database := ""
			if name == "postgres" {
				database = storetest.PostgresURL(t)
			}
			s := newSiteWith(t, func(c *config.Config) { c.Database = database })
			page := s.Get("admin", "/admin/system").Body
			for _, words := range []string{kind, strconv.Itoa(os.Getpid()) + ", ", " of memory", " free of ", "202611", " held, 0 given up", `href="/f/other/logs"`} {
				if !strings.Contains(page, words) {
					t.Errorf("the page lacks %q", words)
				}
			}
			if strings.Contains(page, "postgres://") || strings.Contains(page, "–</dd>") {
				t.Error("the page has the database's address, or lacks a figure")
			}
		})
	}
}
