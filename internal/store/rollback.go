package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"modernc.org/sqlite"
)

// Schema is how far a database is migrated, and what was last done in it.
type Schema struct {
	Applied   []int64 `json:"applied"`
	LastAudit int64   `json:"last_audit"` // the id of the newest audit entry
}

// Newest is the newest migration.
func (s Schema) Newest() int64 {
	if len(s.Applied) == 0 {
		return 0
	}
	return s.Applied[len(s.Applied)-1]
}

// Includes reports whether every migration of o is applied in s.
func (s Schema) Includes(o Schema) bool {
	has := map[int64]bool{}
	for _, v := range s.Applied {
		has[v] = true
	}
	for _, v := range o.Applied {
		if !has[v] {
			return false
		}
	}
	return true
}

// Schema reads the schema's version. It works on every schema there ever was.
func (db *DB) Schema(ctx context.Context) (s Schema, err error) {
	err = db.View(ctx, func(tx *Tx) (err error) {
		s.Applied, err = list(ctx, tx, "migration", func(s scanner) (v int64, err error) { return v, s.Scan(&v) },
			"SELECT DISTINCT version_id FROM goose_db_version WHERE is_applied AND version_id > 0 ORDER BY version_id")
		if err != nil {
			return err
		}
		s.LastAudit, err = get(ctx, tx, "audit entry", func(s scanner) (v int64, err error) { return v, s.Scan(&v) },
			"SELECT COALESCE(MAX(id), 0) FROM audit")
		return err
	})
	return s, err
}

// OverwriteSQLite replaces the content of the SQLite database into by that of the file from, in one transaction. Processes that have the
// database open see the new content from then on; after an error it is as before.
func OverwriteSQLite(ctx context.Context, from, into string) error {
	const how = "?mode=rw&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)"
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: into}).EscapedPath()+how)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fault(fmt.Errorf("opening the database: %w", err))
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(dc any) error {
		b, err := dc.(interface {
			NewRestore(string) (*sqlite.Backup, error)
		}).NewRestore("file:" + (&url.URL{Path: from}).EscapedPath() + "?mode=ro&immutable=1")
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = b.Step(4096); err == nil {
				err = ctx.Err()
			}
		}
		return errors.Join(err, b.Finish())
	})
	if err != nil {
		return fault(fmt.Errorf("writing the database: %w", err))
	}
	return nil
}
