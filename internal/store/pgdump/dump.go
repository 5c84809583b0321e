// Package pgdump copies a PostgreSQL database of a server out and in: without pg_dump, in one snapshot, and back in one transaction.
//
// It knows tables, columns and sequences, and no row's meaning; what a dump is, is [store.Dump]. Copies of SQLite databases are in
// package store, and what a backup is in package backup.
package pgdump

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"

	"github.com/jackc/pgx/v5"
)

// dumpWait bounds waiting for a connection.
const dumpWait = 30 * time.Second

// restoreSchema is where a dump is loaded before it takes its place.
const restoreSchema = "blossomtune_restore"

// pgConfig is the configuration of a connection whose texts are the same on every server.
func pgConfig(address, schema string) (*pgx.ConnConfig, error) {
	conf, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The PostgreSQL address cannot be read.").Fix("Check --database.") // the cause would quote it
	}
	set := "SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET statement_timeout = 0; SET " +
		"idle_in_transaction_session_timeout = 0"
	if schema != "" {
		set += "; SET search_path = " + quoted(schema)
	}
	conf.AfterConnect = setup(set)
	return conf, nil
}

func connectPostgres(ctx context.Context, conf *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dumpWait)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, domain.Errorf(domain.Unavailable,
			"PostgreSQL does not answer.").Fix("Check --database and that the server runs.").Because(err)
	}
	return conn, nil
}

func closePostgres(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is of no more use either way
}

// Dump reads a PostgreSQL database in one snapshot, with the SuperLinks' tables or without. begin is called with what is in it,
// then each for every table, with a function that writes the table's rows in COPY's text format. Other processes can write meanwhile.
func Dump(ctx context.Context, address string, withLink bool, begin func(store.Dump) error,
	each func(table string, write func(io.Writer) error) error) error {
	conf, err := pgConfig(address, "")
	if err != nil {
		return err
	}
	conn, err := connectPostgres(ctx, conf)
	if err != nil {
		return err
	}
	defer closePostgres(ctx, conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("beginning the snapshot: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only read
	d, err := describePostgres(ctx, tx)
	if !withLink {
		d = withoutLink(d)
	}
	if err == nil {
		err = begin(d)
	}
	if err != nil {
		return err
	}
	for _, t := range d.Tables {
		if err := each(t.Name, func(w io.Writer) error {
			_, err := conn.PgConn().CopyTo(ctx, w, query(t))
			return err
		}); err != nil {
			return fmt.Errorf("reading the table %s: %w", t.Name, store.Fault(err))
		}
	}
	return tx.Commit(ctx)
}

// query copies a table's rows. The audit is in its order, so that its chain can be checked as it is read.
func query(t store.DumpTable) string {
	order := ""
	if t.Name == "audit" {
		order = " ORDER BY id"
	}
	return fmt.Sprintf("COPY (SELECT %s FROM %s%s) TO STDOUT", quoted(t.Columns...), quoted(t.Name), order)
}

// quoted quotes names for SQL and joins them with commas.
func quoted(names ...string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(out, ", ")
}

func describePostgres(ctx context.Context, q pgx.Tx) (d store.Dump, err error) {
	d.Engine = "postgres"
	tables, err := pgTables(ctx, q)
	if err != nil {
		return d, err
	}
	has := map[string]bool{}
	for _, t := range tables {
		has[t.Name] = true
	}
	if !has["goose_db_version"] {
		return d, domain.Errorf(domain.Invalid, "The database is not one of a BlossomTune server.").Fix("Check --database.")
	}
	d.Tables, d.Audited = tables, has["audit_head"]
	if err = q.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&d.Version); err != nil {
		return d, fmt.Errorf("reading PostgreSQL's version: %w", err)
	}
	if d.Applied, err = pgApplied(ctx, q, "goose_db_version"); err != nil {
		return d, err
	}
	if n := len(d.Applied); n > 0 {
		d.Schema = d.Applied[n-1]
	}
	if has["link_version"] {
		if d.Link, err = pgApplied(ctx, q, "link_version"); err != nil {
			return d, err
		}
	}
	if has["setting"] {
		err = q.QueryRow(ctx, "SELECT coalesce((SELECT value FROM setting WHERE key = 'instance'), '')").Scan(&d.Instance)
		if err != nil {
			return d, fmt.Errorf("reading the instance: %w", err)
		}
	}
	d.Sequences, err = pgSequences(ctx, q)
	return d, err
}

func pgTables(ctx context.Context, q pgx.Tx) ([]store.DumpTable, error) {
	rows, err := q.Query(ctx, `SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		GROUP BY c.relname ORDER BY c.relname`)
	if err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t store.DumpTable, err error) { return t, r.Scan(&t.Name, &t.Columns) })
	if err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	return tables, nil
}

func pgApplied(ctx context.Context, q pgx.Tx, table string) ([]int64, error) {
	rows, err := q.Query(ctx, "SELECT DISTINCT version_id FROM "+quoted(table)+" WHERE is_applied AND version_id > 0 ORDER BY version_id")
	if err != nil {
		return nil, fmt.Errorf("reading the schema's version: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func pgSequences(ctx context.Context, q pgx.Tx) (out []store.DumpSequence, err error) {
	rows, err := q.Query(ctx, "SELECT sequencename::text FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1")
	if err != nil {
		return nil, fmt.Errorf("listing the sequences: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing the sequences: %w", err)
	}
	for _, n := range names {
		s := store.DumpSequence{Name: n}
		if err := q.QueryRow(ctx, "SELECT last_value, is_called FROM "+quoted(n)).Scan(&s.Last, &s.Called); err != nil {
			return nil, fmt.Errorf("reading the sequence %s: %w", n, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// isLinkTable reports whether a table of PostgreSQL holds the state of SuperLinks. A rollback leaves these alone: a SuperLink that is
// running uses them.
func isLinkTable(name string) bool { return strings.HasPrefix(name, linkPrefix) }

const linkPrefix = "link_"

// withoutLink leaves out the state of SuperLinks.
func withoutLink(d store.Dump) store.Dump {
	tables, sequences := d.Tables, d.Sequences
	d.Link, d.Tables, d.Sequences = nil, nil, nil
	for _, t := range tables {
		if !isLinkTable(t.Name) {
			d.Tables = append(d.Tables, t)
		}
	}
	for _, s := range sequences {
		if !isLinkTable(s.Name) {
			d.Sequences = append(d.Sequences, s)
		}
	}
	return d
}
