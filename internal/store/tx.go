package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"blossomtune/internal/domain"

	"github.com/jackc/pgx/v5/pgconn"
)

// Tx is one transaction. Its methods return a [domain.NotFound] error where there is no such row.
type Tx struct {
	q        querier
	postgres bool

	tallies *tallies // of a transaction that only reads
	version uint64   // of tallies when it began
	nodes   bool     // it changed what is counted there
}

// conflictRetries is how often a PostgreSQL transaction is run again after a serialization failure.
const conflictRetries = 50

// InTx runs fn in one write transaction, as if no other ran beside it. fn may run more than once and must have no effect
// besides the transaction; its error rolls back and is returned.
//
// A transaction that is not done after a minute, because another program holds a lock, is a [domain.Unavailable] error.
func (db *DB) InTx(ctx context.Context, fn func(*Tx) error) error {
	limited, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err := fault(db.inTx(limited, fn))
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return domain.Errorf(domain.Unavailable, "The database did not take the change within %s.", writeLimit).
			Fix("See whether another program has locked it, then try again.").Because(err)
	}
	return err
}

// writeLimit bounds a write transaction with its retries.
const writeLimit = time.Minute

func (db *DB) inTx(ctx context.Context, fn func(*Tx) error) error {
	for try := 0; ; try++ {
		err := db.once(ctx, db.write, &sql.TxOptions{Isolation: db.isolation()}, fn)
		if !retryable(err) || try == conflictRetries {
			return err
		}
		if try == 0 { // those who collided go on one after another, not against each other
			select {
			case <-ctx.Done():
				return ctx.Err()
			case db.turn <- struct{}{}:
				defer func() { <-db.turn }()
			}
			continue
		}
		wait := time.NewTimer(time.Duration(rand.Int64N(int64(min(try, 20)) * int64(time.Millisecond/2))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
}

// View runs fn in one read transaction, which sees one state of the database.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if db.engine == "postgres" {
		opts.Isolation = sql.LevelRepeatableRead
	}
	return fault(db.once(ctx, db.read, opts, fn))
}

func (db *DB) isolation() sql.IsolationLevel {
	if db.engine == "postgres" {
		return sql.LevelSerializable
	}
	return sql.LevelDefault // BEGIN IMMEDIATE on the one writer
}

func (db *DB) once(ctx context.Context, pool *sql.DB, opts *sql.TxOptions, fn func(*Tx) error) (err error) {
	defer func() { db.health.noteDamage(err) }()
	if err := db.lostTo(); err != nil && pool == db.write {
		return err
	}
	tx := &Tx{postgres: db.engine == "postgres"}
	if opts.ReadOnly {
		tx.tallies, tx.version = &db.tallies, db.tallies.version.Load()
	}
	q, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	if pool == db.write {
		if err := db.stillOwner(ctx, querier{q}); err != nil {
			return errors.Join(err, ignoreDone(q.Rollback()))
		}
	}
	tx.q = querier{q}
	defer func() {
		if tx.nodes {
			db.tallies.version.Add(1)
		}
	}()
	if err := fn(tx); err != nil {
		return errors.Join(err, ignoreDone(q.Rollback()))
	}
	if err := q.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// retryable reports PostgreSQL's "run it again": serialization_failure, deadlock_detected.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// Runner gives a rules package the transactions in the form of its own interface.
type Runner[T any] struct{ db *DB }

// Adapt returns the database with transactions of the interface T, which *Tx must implement.
func Adapt[T any](db *DB) Runner[T] { return Runner[T]{db} }

// InTx is [DB.InTx].
func (r Runner[T]) InTx(ctx context.Context, fn func(T) error) error {
	return r.db.InTx(ctx, func(tx *Tx) error { return fn(any(tx).(T)) })
}

// View is [DB.View].
func (r Runner[T]) View(ctx context.Context, fn func(T) error) error {
	return r.db.View(ctx, func(tx *Tx) error { return fn(any(tx).(T)) })
}

// exec runs a statement that must change exactly one row; none is a [domain.NotFound] error about what.
func (tx *Tx) one(ctx context.Context, what, query string, args ...any) error {
	res, err := tx.q.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("writing %s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return missing(what)
	}
	return err
}

func (tx *Tx) exec(ctx context.Context, what, query string, args ...any) error {
	if _, err := tx.q.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("writing %s: %w", what, err)
	}
	return nil
}

// insert runs an INSERT … RETURNING id.
func (tx *Tx) insert(ctx context.Context, what string, id *int64, query string, args ...any) error {
	if err := tx.q.QueryRowContext(ctx, query+" RETURNING id", args...).Scan(id); err != nil {
		return fmt.Errorf("adding %s: %w", what, err)
	}
	return nil
}

type scanner interface{ Scan(dest ...any) error }

func get[T any](ctx context.Context, tx *Tx, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(tx.q.QueryRowContext(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return v, missing(what)
	}
	if err != nil {
		return v, fmt.Errorf("reading %s: %w", what, err)
	}
	return v, nil
}

func list[T any](ctx context.Context, tx *Tx, what string, scan func(scanner) (T, error), query string, args ...any) (out []T, err error) {
	err = each(ctx, tx, what, scan, func(v T) error { out = append(out, v); return nil }, query, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// each hands on what a query finds, one by one; an error of take ends it and is returned.
func each[T any](ctx context.Context, tx *Tx, what string, scan func(scanner) (T, error), take func(T) error, query string,
	args ...any) error {
	rows, err := tx.q.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("reading %ss: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return fmt.Errorf("reading %s: %w", what, err)
		}
		if err := take(v); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading %ss: %w", what, err)
	}
	return nil
}

func missing(what string) error { return domain.Errorf(domain.NotFound, "There is no such %s.", what) }

// unique reports whether err is a violation of a unique key whose name or columns hold part.
func unique(err error, part string) bool {
	if err == nil {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505" && strings.Contains(pg.ConstraintName, strings.ReplaceAll(part, ".", "_"))
	}
	return strings.Contains(err.Error(), "UNIQUE constraint failed") && strings.Contains(err.Error(), part)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// asJSON encodes a value that is stored as JSON. What JSON cannot hold (NaN, an infinity) is an error.
func asJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("storing %T as JSON: %w", v, err)
	}
	return string(b), nil
}

func limit(n int) int {
	if n <= 0 {
		return 50
	}
	return n
}

// where collects conditions with their arguments.
type where struct {
	conds []string
	args  []any
}

// add takes a condition with one ? for its one argument.
func (w *where) add(cond string, arg any) {
	w.args = append(w.args, arg)
	w.conds = append(w.conds, strings.ReplaceAll(cond, "?", fmt.Sprintf("$%d", len(w.args))))
}

// after takes what lies beyond a row in an order: its value there, and its id.
func (w *where) after(by, beyond string, value any, id int64) {
	w.args = append(w.args, value, id)
	w.conds = append(w.conds, fmt.Sprintf("(%s, r.id) %s ($%d, $%d)", by, beyond, len(w.args)-1, len(w.args)))
}

// in takes rows whose column is one of some values; none are no condition.
func in[T string | int64](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		w.args = append(w.args, v)
		marks[i] = fmt.Sprintf("$%d", len(w.args))
	}
	w.conds = append(w.conds, column+" IN ("+strings.Join(marks, ", ")+")")
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// like is the pattern for texts that contain the words, in lower case; with ESCAPE '\'.
func like(words string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(words)) + "%"
}

// prefixed writes the table before each column of a list.
func prefixed(table, columns string) string {
	return table + "." +
		strings.Join(strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) }), ", "+table+".")
}
