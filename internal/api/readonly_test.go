package api_test

import (
	"blossomtune/internal/servertest"
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/web"
)

// lockDatabase makes another program hold the lock that every write needs; what it returns lets go of it.
func lockDatabase(t *testing.T, s *site, postgres string) (unlock func()) {
	t.Helper()
	driver, address, lock := "sqlite", filepath.Join(s.Config.Data, "blossomtune.db"), []string{"BEGIN IMMEDIATE"}
	if postgres != "" {
		driver, address, lock = "pgx", postgres, []string{"BEGIN", "LOCK TABLE session, api_token, run, audit, audit_head, request, person IN EXCLUSIVE MODE"}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range lock {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		conn.Close()
		db.Close()
	}
}

// While the database takes no writes, every page and every operation that reads answers at once; last uses are written when it does again.
func TestReadingNeedsNoWriting(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			postgres := ""
			s := newSiteWith(t, func(c *config.Config) {
				if kind == "postgres" {
					postgres = storetest.PostgresURL(t)
					c.Database = postgres
				}
			})
			secret := servertest.ShareSecret(s.Site)
			token, err := s.Server.AdminToken(t.Context(), "reads", 30*24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			reading := s.readings(secret)
			s.Passes(2 * time.Minute) // every last use is due
			unlock := lockDatabase(t, s, postgres)
			for _, path := range reading {
				for _, who := range []string{"participant", "admin"} {
					began := time.Now()
					a := s.Send(who, http.MethodGet, path, nil, nil)
					if took := time.Since(began); a.Status >= 500 || took > 3*time.Second {
						t.Errorf("GET %s as %s: %d after %s: %.300s", path, who, a.Status, took, a.Body)
					}
				}
				s.Passes(2 * time.Minute)
			}
			if a := s.Bearer(token, http.MethodGet, "/api/v1/federations", ""); a.Status != http.StatusOK {
				t.Errorf("by an API token: %d %s", a.Status, a.Body)
			}
			if kind == "sqlite" { // with the reason, before anything is queued
				a := s.Bearer(token, http.MethodPost, "/api/v1/federations/fed/runs", `{"app":"`+s.Run.AppHash+`","name":"late"}`)
				if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "locked the database") {
					t.Errorf("launching: %d %s", a.Status, a.Body)
				}
			}
			unlock()
			s.Passes(2 * time.Minute)
			for deadline := time.Now().Add(30 * time.Second); ; {
				if a := s.Bearer(token, http.MethodGet, "/api/v1/federations", ""); a.Status != http.StatusOK {
					t.Fatalf("afterwards: %d %s", a.Status, a.Body)
				}
				s.Passes(2 * time.Minute)
				host, err := s.Server.Accounts.HostAdmin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				tokens, err := s.Server.Accounts.Tokens(t.Context(), host.ID)
				if err == nil && len(tokens) == 1 && !tokens[0].LastUsedAt.IsZero() {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the last use was never written: %+v %v", tokens, err)
				}
			}
		})
	}
}

// readings are the addresses of every page and operation that reads.
func (s *site) readings(secret string) (out []string) {
	fill := strings.NewReplacer("{$}", "", "{fed}", "fed", "{federation}", "fed", "{run}", "r-1", "{round}", "1", "{ref}", s.Kept.Ref,
		"{secret}", secret, "{provider}", "nobody", "{id}", "1", "{part}", "keeper", "{kind}", "page", "{path...}", "model.npz", "{publisher}",
		"p", "{name}", "n", "{hash}", s.Run.AppHash)
	for _, pattern := range web.Patterns() {
		if method, path, _ := strings.Cut(pattern, " "); method == http.MethodGet {
			out = append(out, fill.Replace(path))
		}
	}
	var d spec
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &d); err != nil {
		s.T.Fatal(err)
	}
	for path, methods := range d.Paths {
		if _, reads := methods["get"]; reads {
			out = append(out, fill.Replace(path))
		}
	}
	if len(out) < 90 {
		s.T.Fatalf("only %d addresses are read", len(out))
	}
	return out
}
