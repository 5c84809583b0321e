package pgdump

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Load says how [Restore] restores a dump.
type Load struct {
	Dump store.Dump
	// Link makes the SuperLinks' tables at the given migrations.
	Link func(ctx context.Context, db *sql.DB, versions []int64) error
	// Replace moves the server's tables that are there into the schema [ReplacedSchema]. The SuperLinks' tables stay.
	Replace bool
}

// ReplacedSchema keeps the tables that the newest [Restore] replaced.
const ReplacedSchema = "blossomtune_replaced"

func setup(query string) func(context.Context, *pgconn.PgConn) error {
	return func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, query).ReadAll()
		return err
	}
}

// Empty returns a [domain.Conflict] error if a PostgreSQL database has tables.
func Empty(ctx context.Context, address string) error {
	conf, err := pgConfig(address, "")
	if err != nil {
		return err
	}
	conn, err := connectPostgres(ctx, conf)
	if err != nil {
		return err
	}
	defer closePostgres(ctx, conn)
	var n int
	err = conn.QueryRow(ctx,
		"SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() "+
			"AND c.relkind IN ('r', 'p', 'v', 'S')").Scan(&n)
	if err != nil {
		return fmt.Errorf("looking for tables: %w", err)
	}
	if n > 0 {
		return domain.Errorf(domain.Conflict, "The PostgreSQL database is not empty.").Fix("Create a new database and name it with --database.")
	}
	return nil
}

// Restore restores a dump into an empty database. fill is called with a function that it calls for each table with the rows, in COPY's
// text format. The dump
// is loaded into a schema of its own and takes its place in one transaction at the end; after an error the database is as before.
func Restore(ctx context.Context, address string, l Load, fill func(load func(table string, rows io.Reader) error) error) (err error) {
	conf, err := pgConfig(address, "")
	if err != nil {
		return err
	}
	outer, err := connectPostgres(ctx, conf)
	if err != nil {
		return err
	}
	defer closePostgres(ctx, outer)
	var target string
	if err := outer.QueryRow(ctx, "SELECT coalesce(current_schema(), 'public')").Scan(&target); err != nil {
		return fmt.Errorf("reading the schema's name: %w", err)
	}
	if _, err := outer.Exec(ctx,
		"SET client_min_messages = warning; DROP SCHEMA IF EXISTS "+restoreSchema+" CASCADE; CREATE SCHEMA "+restoreSchema); err != nil {
		return domain.Errorf(domain.Forbidden, "The schema %s cannot be created in the PostgreSQL database.", restoreSchema).
			Fix("Run GRANT CREATE ON DATABASE … TO the server's user, then try again.").Because(err)
	}
	defer func() {
		if err != nil {
			_, _ = outer.Exec(context.WithoutCancel(ctx), "DROP SCHEMA IF EXISTS "+restoreSchema+" CASCADE") // the error is reported
		}
	}()
	if err := makeSchema(ctx, address, l); err != nil {
		return err
	}
	if err := fillSchema(ctx, address, l.Dump, fill); err != nil {
		return err
	}
	return swapSchemas(ctx, outer, target, l)
}

// makeSchema applies the migrations of the dump in the schema for restoring.
func makeSchema(ctx context.Context, address string, l Load) error {
	conf, err := pgConfig(address, restoreSchema)
	if err != nil {
		return err
	}
	q := stdlib.OpenDB(*conf)
	defer q.Close()
	dir, err := store.Migrations("postgres")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, q, dir, goose.WithAllowOutofOrder(true))
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	for _, v := range l.Dump.Applied {
		if _, err := p.ApplyVersion(ctx, v, true); err != nil {
			return fmt.Errorf("making the schema %d: %w", v, err)
		}
	}
	if len(l.Dump.Link) == 0 {
		return nil
	}
	return l.Link(ctx, q, l.Dump.Link)
}

// fillSchema loads all tables in one transaction. Foreign keys are checked when all are loaded.
func fillSchema(ctx context.Context, address string, d store.Dump, fill func(load func(table string, rows io.Reader) error) error) error {
	conf, err := pgConfig(address, restoreSchema)
	if err != nil {
		return err
	}
	conn, err := connectPostgres(ctx, conf)
	if err != nil {
		return err
	}
	defer closePostgres(ctx, conn)
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	again, err := dropForeignKeys(ctx, tx)
	if err != nil {
		return err
	}
	here, err := pgTables(ctx, tx)
	if err != nil {
		return err
	}
	for _, t := range here { // migrations fill some
		if _, err := tx.Exec(ctx, "TRUNCATE "+quoted(t.Name)); err != nil {
			return fmt.Errorf("emptying the table %s: %w", t.Name, err)
		}
	}
	err = fill(func(table string, rows io.Reader) error {
		i := slices.IndexFunc(d.Tables, func(t store.DumpTable) bool { return t.Name == table })
		if i < 0 {
			return domain.Errorf(domain.Invalid, "The backup does not describe its table %s.", table)
		}
		_, err := conn.PgConn().CopyFrom(ctx, rows, fmt.Sprintf("COPY %s (%s) FROM STDIN", quoted(table), quoted(d.Tables[i].Columns...)))
		if err != nil {
			return fmt.Errorf("loading the table %s: %w", table, store.Fault(err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range d.Sequences {
		if _, err := tx.Exec(ctx, "SELECT setval($1::text::regclass, $2, $3)", quoted(s.Name), s.Last, s.Called); err != nil {
			return fmt.Errorf("setting the sequence %s: %w", s.Name, err)
		}
	}
	for _, query := range again {
		if _, err := tx.Exec(ctx, query); err != nil {
			return fmt.Errorf("checking the foreign keys: %w", err)
		}
	}
	return tx.Commit(ctx)
}

// dropForeignKeys drops the foreign keys of a schema and returns the statements that add them again.
func dropForeignKeys(ctx context.Context, tx pgx.Tx) (again []string, err error) {
	rows, err := tx.Query(ctx,
		`SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND n.nspname = current_schema() ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("listing the foreign keys: %w", err)
	}
	type key struct{ Table, Name, Def string }
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[key])
	if err != nil {
		return nil, fmt.Errorf("listing the foreign keys: %w", err)
	}
	for _, k := range keys {
		if _, err := tx.Exec(ctx, "ALTER TABLE "+quoted(k.Table)+" DROP CONSTRAINT "+quoted(k.Name)); err != nil {
			return nil, fmt.Errorf("dropping a foreign key: %w", err)
		}
		again = append(again, "ALTER TABLE "+quoted(k.Table)+" ADD CONSTRAINT "+quoted(k.Name)+" "+k.Def)
	}
	return again, nil
}

// swapSchemas puts the loaded tables where a server looks for them, in one transaction.
func swapSchemas(ctx context.Context, conn *pgx.Conn, target string, l Load) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	do := func(query string) {
		if err == nil {
			_, err = tx.Exec(ctx, query)
		}
	}
	do("SET LOCAL lock_timeout = '60s'")
	present, listErr := pgTables(ctx, tx)
	err = errors.Join(err, listErr)
	switch {
	case err != nil || len(present) == 0:
	case !l.Replace:
		return domain.Errorf(domain.Conflict,
			"The PostgreSQL database is not empty any more.").Fix("Create a new database and name it with --database.")
	default:
		do("DROP SCHEMA IF EXISTS " + ReplacedSchema + " CASCADE")
		do("CREATE SCHEMA " + ReplacedSchema)
		for _, t := range present {
			if !isLinkTable(t.Name) {
				do("ALTER TABLE " + quoted(target) + "." + quoted(t.Name) + " SET SCHEMA " + ReplacedSchema)
			}
		}
	}
	for _, t := range l.Dump.Tables {
		do("ALTER TABLE " + restoreSchema + "." + quoted(t.Name) + " SET SCHEMA " + quoted(target))
	}
	do("DROP SCHEMA " + restoreSchema + " CASCADE")
	if err != nil {
		return domain.Errorf(domain.Unavailable,
			"PostgreSQL did not put the restored tables in place.").Fix("End other programs that use the database, then try again.").Because(err)
	}
	return tx.Commit(ctx)
}
