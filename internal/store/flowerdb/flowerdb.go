// Package flowerdb changes the one thing in the database of Flower's SuperLink that Flower's API does not offer: the ID of a node. A
// SuperNode keeps its ID while the federation changes its SuperLink.
package flowerdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// revisions are the versions of Flower's schema whose table of nodes is known: that of flwr 1.42.
var revisions = []string{"d9bd9d502cf9"}

// ErrUnknownSchema is returned for a database of another version of Flower, which stays as it is.
var ErrUnknownSchema = errors.New("the schema of the SuperLink's database is not known")

// SetNodeID gives a node that was registered and never activated another ID, in the SQLite database of Flower's SuperLink, which may be
// running. On an error nothing has changed; [ErrUnknownSchema] is one.
func SetNodeID(ctx context.Context, path string, from, to uint64) error {
	if _, err := os.Stat(path); err != nil { // opening it would make it
		return err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("opening the SuperLink's database: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var revision string
	err = tx.QueryRowContext(ctx, "SELECT version_num FROM alembic_version").Scan(&revision)
	if err != nil || !slices.Contains(revisions, revision) {
		return errors.Join(ErrUnknownSchema, err)
	}
	// Flower keeps unsigned numbers as signed ones.
	done, err := tx.ExecContext(ctx, `UPDATE node SET node_id = $1
		WHERE node_id = $2 AND status = 'registered' AND last_activated_at IS NULL`, int64(to), int64(from))
	if err != nil {
		return fmt.Errorf("changing a node's ID: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fs.ErrNotExist, err)
	}
	return tx.Commit()
}
