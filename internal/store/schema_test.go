package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/store/linkstore"
	"blossomtune/internal/store/storetest"
)

const schemaFile = "testdata/schema.txt"

const schemaIntro = `# Every table, column and index of the databases, for the golden list: with the pages and operations in docs/access.md, the commands and flags
# in docs/commands.md and the settings in docs/settings.md, it is what others rely on. "?" may be NULL, "key" is of the primary key.
# Made by: go test ./internal/store -run TestTheSchemaIsListed -update
`

// How each database tells its columns and indexes: a name, and what it is.
const (
	sqliteSchema = `SELECT m.name || '.' || c.name, lower(c.type) || CASE WHEN c."notnull" = 0 AND c.pk = 0 THEN '?' ELSE '' END ||
			CASE WHEN c.pk > 0 THEN ' key' ELSE '' END
		FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
		UNION ALL SELECT m.name || ' index ' || i.name, (SELECT group_concat(coalesce(n.name, '(…)'), ', ') FROM pragma_index_info(i.name) n) ||
			CASE WHEN i."unique" = 1 THEN ' unique' ELSE '' END || CASE WHEN i.partial = 1 THEN ' partial' ELSE '' END
		FROM sqlite_schema m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'c'`
	postgresSchema = `SELECT t.relname || '.' || c.attname, format_type(c.atttypid, c.atttypmod) || CASE WHEN c.attnotnull THEN '' ELSE '?' END ||
			CASE WHEN EXISTS (SELECT FROM pg_index p WHERE p.indrelid = t.oid AND p.indisprimary AND c.attnum = ANY(p.indkey)) THEN ' key' ELSE '' END
		FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
		WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace
		UNION ALL SELECT t.relname || ' index ' || i.relname, (SELECT string_agg(coalesce(c.attname, '(…)'), ', ' ORDER BY k.place)
				FROM unnest(x.indkey::int[]) WITH ORDINALITY k(num, place) LEFT JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum = k.num AND k.num > 0) ||
			CASE WHEN x.indisunique THEN ' unique' ELSE '' END || CASE WHEN x.indpred IS NULL THEN '' ELSE ' partial' END
		FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
		WHERE t.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = i.oid)`
)

// A change of what is stored is a visible change of one file. Migrations made the databases that are listed.
func TestTheSchemaIsListed(t *testing.T) {
	file, pg := filepath.Join(t.TempDir(), "server.db"), storetest.PostgresURL(t)
	storetest.Open(t, "sqlite:"+file)
	storetest.Open(t, pg)
	var b strings.Builder
	b.WriteString(schemaIntro)
	writeSchema(&b, "the server's database", schemaOf(t, "sqlite", file, sqliteSchema), schemaOf(t, "pgx", pg, postgresSchema))
	file, pg = filepath.Join(t.TempDir(), "link.db"), storetest.PostgresURL(t)
	openLink(t, "sqlite:"+file)
	openLink(t, pg)
	writeSchema(&b, "the state of a SuperLink", schemaOf(t, "sqlite", file, sqliteSchema), schemaOf(t, "pgx", pg, postgresSchema))
	if *update {
		if err := os.WriteFile(schemaFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	want, got := strings.Split(string(listed), "\n"), strings.Split(b.String(), "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("gone or changed: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("new or changed: %s", line)
		}
	}
	if t.Failed() {
		t.Logf("If this is meant, add -update and commit %s.", schemaFile)
	}
}

func openLink(t *testing.T, address string) {
	t.Helper()
	s, err := linkstore.Open(context.Background(), address, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
}

// schemaOf returns what each column and index of a database is.
func schemaOf(t *testing.T, driver, address, query string) map[string]string {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, what string
		if err := rows.Scan(&name, &what); err != nil {
			t.Fatal(err)
		}
		out[name] = what
	}
	if rows.Err() != nil || len(out) == 0 {
		t.Fatal(len(out), rows.Err())
	}
	return out
}

// writeSchema writes a line for each column and index: its name, what it is in SQLite and, where that differs, in PostgreSQL.
func writeSchema(b *strings.Builder, title string, sqlite, postgres map[string]string) {
	fmt.Fprintf(b, "\n## %s: SQLite | PostgreSQL\n", title)
	all := maps.Clone(sqlite)
	maps.Copy(all, postgres)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s, p := sqlite[name], postgres[name]
		if s != p {
			s = fmt.Sprintf("%s | %s", orNone(s), orNone(p))
		}
		fmt.Fprintf(b, "%s: %s\n", name, s)
	}
}

func orNone(what string) string {
	if what == "" {
		return "none"
	}
	return what
}
