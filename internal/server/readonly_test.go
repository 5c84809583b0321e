package server

import (
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
	driver, address, lock := "sqlite", filepath.Join(s.app.o.Config.Data, "blossomtune.db"), []string{"BEGIN IMMEDIATE"}
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
			secret := sharedSecret(s)
			token, err := s.app.AdminToken("reads", 30*24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			reading := s.readings(secret)
			s.passes(2 * time.Minute) // every last use is due
			unlock := lockDatabase(t, s, postgres)
			for _, path := range reading {
				for _, who := range []string{"participant", "admin"} {
					began := time.Now()
					a := s.send(who, http.MethodGet, path, nil, nil)
					if took := time.Since(began); a.status >= 500 || took > 3*time.Second {
						t.Errorf("GET %s as %s: %d after %s: %.300s", path, who, a.status, took, a.body)
					}
				}
				s.passes(2 * time.Minute)
			}
			if a := s.bearer(token, http.MethodGet, "/api/v1/federations", ""); a.status != http.StatusOK {
				t.Errorf("by an API token: %d %s", a.status, a.body)
			}
			if kind == "sqlite" { // with the reason, before anything is queued
				a := s.bearer(token, http.MethodPost, "/api/v1/federations/fed/runs", `{"app":"`+s.run.AppHash+`","name":"late"}`)
				if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "locked the database") {
					t.Errorf("launching: %d %s", a.status, a.body)
				}
			}
			unlock()
			s.passes(2 * time.Minute)
			for deadline := time.Now().Add(30 * time.Second); ; {
				if a := s.bearer(token, http.MethodGet, "/api/v1/federations", ""); a.status != http.StatusOK {
					t.Fatalf("afterwards: %d %s", a.status, a.body)
				}
				s.passes(2 * time.Minute)
				host, err := s.app.Accounts.HostAdmin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				tokens, err := s.app.Accounts.Tokens(t.Context(), host.ID)
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
	fill := strings.NewReplacer("{$}", "", "{fed}", "fed", "{federation}", "fed", "{run}", "r-1", "{round}", "1", "{ref}", s.kept.Ref, "{secret}", secret, "{provider}", "nobody", "{id}", "1", "{part}", "keeper", "{kind}", "page", "{path...}", "model.npz", "{publisher}", "p", "{name}", "n", "{hash}", s.run.AppHash)
	for _, pattern := range web.Patterns() {
		if method, path, _ := strings.Cut(pattern, " "); method == http.MethodGet {
			out = append(out, fill.Replace(path))
		}
	}
	var d spec
	if err := json.Unmarshal([]byte(s.get("stranger", "/api/openapi.json").body), &d); err != nil {
		s.t.Fatal(err)
	}
	for path, methods := range d.Paths {
		if _, reads := methods["get"]; reads {
			out = append(out, fill.Replace(path))
		}
	}
	if len(out) < 90 {
		s.t.Fatalf("only %d addresses are read", len(out))
	}
	return out
}
