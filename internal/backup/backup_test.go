package backup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/pgdump"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// place is a server's data directory with its database.
type place struct {
	t    testing.TB
	set  config.Config
	db   *store.DB
	fed  domain.Federation
	file string // of the next backup
}

// eachPlace runs a test with a server on each kind of database.
func eachPlace(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newPlace(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(t, newPlace(t, storetest.PostgresURL(t))) })
}

func newPlace(t testing.TB, database string) *place {
	t.Helper()
	p := &place{t: t, set: config.Config{Data: t.TempDir(), Database: database, Listen: "127.0.0.1:0"}, file: filepath.Join(t.TempDir(), "b")}
	if err := p.set.Resolve(); err != nil {
		t.Fatal(err)
	}
	p.db = storetest.Open(t, p.set.Database)
	p.fed = domain.Federation{Slug: "cardio", Name: "Cardio\t\\N\n\"ß\"", TotalPartitions: 10, Parallel: 1}
	err := p.db.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertFederation(t.Context(), &p.fed); err != nil {
			return err
		}
		if err := tx.PutSetting(t.Context(), "instance", "abc"); err != nil {
			return err
		}
		return tx.PutAppVersion(t.Context(), domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1.0.0", FAB: noise(100_000)})
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		p.change()
	}
	for name, content := range map[string]string{
		"instance": "abc\n", "server.lock": "1 here", "public_url": "http://x", "tls/ca.key": "KEY", "receipt/receipt.key": "RECEIPT",
		"python/env/bin/python":    "big",
		"federations/1/objects/0a": string(noise(70_000)), "federations/1/keeper.json": `{"port":1}`, "federations/1/superexec.secret": "S",
		"federations/1/tls/server.key": "K",
		"federations/1/superlink.log":  "line\n", "federations/1/runs/7/serverapp.log": "l\n", "federations/1/runs/7/launch.json": "{}",
		"federations/1/runs/7/tmp/x":          "x",
		"federations/1/runs/7/work/model.npz": string(noise(300_000)), "federations/1/runs/7/work/deep/er/a.db": "no database",
		"federations/1/runs/7/work/empty": "",
	} {
		path := filepath.Join(p.set.Data, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	link, err := sql.Open("sqlite", "file:"+filepath.Join(p.set.Data, "federations/1/link.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	if _, err := link.Exec("CREATE TABLE link_node (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO link_node VALUES (1, 'in the WAL')"); err != nil {
		t.Fatal(err)
	}
	return p
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// change is one transaction of a server: what it counts and the audit entries are always as many.
func (p *place) change() {
	p.t.Helper()
	ctx := context.WithoutCancel(p.t.Context())
	err := p.db.InTx(ctx, func(tx *store.Tx) error {
		text, err := tx.Setting(ctx, "counted")
		if err != nil {
			return err
		}
		if err := tx.PutSetting(ctx, "counted", text+"x"); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: time.Now(), Actor: domain.System, Action: "thing.done", ObjectKind: "thing",
			Detail: map[string]string{"text": "\t\\ \r\n\u2028 ä"}})
	})
	if err != nil {
		p.t.Error(err)
	}
}

func (p *place) back(protect Protection) (Result, error) {
	return Create(p.t.Context(), Options{Config: p.set, File: p.file, Protect: protect, Artifacts: true, Logs: true, Server: "test",
		Clock: time.Now})
}

func (p *place) mustBack() Result {
	p.t.Helper()
	res, err := p.back(Protection{Clear: true})
	if err != nil {
		p.t.Fatal(err)
	}
	return res
}

// target returns where a backup of the place can be restored.
func (p *place) target() RestoreOptions {
	o := RestoreOptions{File: p.file, Data: filepath.Join(p.t.TempDir(), "new", "data"), Clock: time.Now}
	o.Database = "sqlite:" + filepath.Join(o.Data, "blossomtune.db")
	if store.SQLiteFile(p.set.Database) == "" {
		o.Database = storetest.PostgresURL(p.t)
	}
	return o
}

// tables reads every row of every table of a database.
func tables(t testing.TB, address string) map[string][]string {
	t.Helper()
	driver, source, list := "pgx", address, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
	if file := store.SQLiteFile(address); file != "" {
		driver, source, list = "sqlite", file, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
	}
	q, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	out := map[string][]string{}
	for _, name := range rows(t, q, list) {
		all := rows(t, q, `SELECT * FROM "`+name+`"`)
		slices.Sort(all)
		out[name] = all
	}
	return out
}

func rows(t testing.TB, q *sql.DB, query string) (out []string) {
	t.Helper()
	found, err := q.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := found.Scan(values...); err != nil {
			t.Fatal(err)
		}
		text := make([]string, len(columns))
		for i, v := range values {
			if text[i] = fmt.Sprint(*v.(*any)); len(columns) > 1 {
				text[i] = fmt.Sprintf("%T %q", *v.(*any), text[i])
			}
		}
		out = append(out, strings.Join(text, " | "))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// files hashes the files below a directory that a backup has.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if k := kindOf(rel, false); k == skipped || k == database && !strings.Contains(rel, "work/") || rel == MarkFile {
			return nil
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(b)
		out[rel] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestARestoredServerHasEveryRowAndFile(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		want := tables(t, p.set.Database)
		p.mustBack()
		o := p.target()
		if _, err := Restore(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tables(t, o.Database)); diff != "" {
			t.Errorf("rows differ (-original +restored):\n%s", diff)
		}
		if diff := cmp.Diff(files(t, p.set.Data), files(t, o.Data)); diff != "" {
			t.Errorf("files differ (-original +restored):\n%s", diff)
		}
		link := tables(t, "sqlite:"+filepath.Join(o.Data, "federations/1/link.db"))["link_node"]
		if len(link) != 1 || !strings.Contains(link[0], "in the WAL") {
			t.Errorf("the SuperLink's state is %q", link)
		}
		for _, gone := range []string{"public_url", "server.lock", "python", "federations/1/keeper.json", "federations/1/superexec.secret",
			"federations/1/tls", "federations/1/runs/7/tmp"} {
			if _, err := os.Lstat(filepath.Join(o.Data, gone)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s was restored: %v", gone, err)
			}
		}
		restored := storetest.Open(t, o.Database) // and it can be written
		p.db = restored
		p.change()
		if f := (domain.Federation{Slug: "two", Name: "Two", TotalPartitions: 1, Parallel: 1}); true {
			err := restored.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertFederation(t.Context(), &f) })
			if err != nil || f.ID <= p.fed.ID {
				t.Errorf("a new federation got the id %d, %v", f.ID, err)
			}
		}
	})
}

// A backup that is made while others write is one state: each transaction is in it whole or not at all.
func TestABackupUnderLoadIsOneState(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for range 3 {
			writers.Go(func() {
				for ctx.Err() == nil {
					p.change()
				}
			})
		}
		res := p.mustBack()
		stop()
		writers.Wait()
		o := p.target()
		report, err := Restore(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		db := storetest.Open(t, o.Database)
		var counted string
		var verdict domain.AuditVerdict
		err = db.View(t.Context(), func(tx *store.Tx) (err error) {
			if counted, err = tx.Setting(t.Context(), "counted"); err == nil {
				verdict, err = tx.CheckAudit(t.Context())
			}
			return err
		})
		if err != nil || !verdict.Whole() || verdict.Entries != len(counted) || report.Audit.Entries != len(counted) {
			t.Errorf("%d transactions, %d audit entries, verified %d: %v", len(counted), verdict.Entries, report.Audit.Entries, err)
		}
		for _, e := range res.Manifest.Entries {
			if table, ok := tableOf(e.Name); ok {
				if got := tableHash(t, o.Database, table); got != e.SHA256 {
					t.Errorf("the table %s differs from the snapshot", table)
				}
			}
		}
	})
}

// tableHash is the SHA-256 of a table of PostgreSQL in COPY's text format.
func tableHash(t *testing.T, address, table string) string {
	t.Helper()
	sum := sha256.New()
	err := pgdump.Dump(t.Context(), address, true, func(store.Dump) error { return nil },
		func(name string, write func(io.Writer) error) error {
			if name == table {
				return write(sum)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
