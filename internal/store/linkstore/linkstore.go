package linkstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/superlink"
)

// micros converts a time to Unix microseconds, the stored form. The zero time becomes 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func at(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}

// some makes the empty value of bytes that are never NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const (
	putNode = `INSERT INTO link_node (federation_id, id, public_pem, name, status, interval_ms,
			registered_at, activated_at, deactivated_at, unregistered_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (federation_id, id) DO UPDATE SET name = excluded.name, status = excluded.status, interval_ms = excluded.interval_ms,
			activated_at = excluded.activated_at, deactivated_at = excluded.deactivated_at, unregistered_at = excluded.unregistered_at`
	putRun = `INSERT INTO link_run (federation_id, id, key, fab_hash, app, version, config, status, sub_status, details, task_id, token_hash,
			bytes_sent, bytes_received, client_seconds, pending_at, starting_at, running_at, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
		ON CONFLICT (federation_id, id) DO UPDATE SET status = excluded.status, sub_status = excluded.sub_status, details = excluded.details,
			task_id = excluded.task_id, token_hash = excluded.token_hash, bytes_sent = excluded.bytes_sent,
			bytes_received = excluded.bytes_received, client_seconds = excluded.client_seconds, starting_at = excluded.starting_at,
			running_at = excluded.running_at, finished_at = excluded.finished_at`
	putFAB    = `INSERT INTO link_fab (federation_id, hash, content) VALUES ($1, $2, $3) ON CONFLICT (federation_id, hash) DO NOTHING`
	putLetter = `INSERT INTO link_letter (federation_id, id, run_id, node_id, reply_to, message, tree, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (federation_id, id) DO UPDATE SET state = excluded.state`
	putObject = `INSERT INTO link_object (federation_id, id, size, content) VALUES ($1, $2, $3, $4)
		ON CONFLICT (federation_id, id) DO UPDATE SET size = excluded.size, content = excluded.content`
	dropLetter = `DELETE FROM link_letter WHERE federation_id = $1 AND id = $2`
	dropObject = `DELETE FROM link_object WHERE federation_id = $1 AND id = $2`

	allNodes = `SELECT id, public_pem, name, status, interval_ms, registered_at, activated_at, deactivated_at, unregistered_at
		FROM link_node WHERE federation_id = $1`
	allRuns = `SELECT id, key, fab_hash, app, version, config, status, sub_status, details, task_id, token_hash,
			bytes_sent, bytes_received, client_seconds, pending_at, starting_at, running_at, finished_at
		FROM link_run WHERE federation_id = $1`
	allLetters = `SELECT id, run_id, node_id, reply_to, message, tree, state FROM link_letter WHERE federation_id = $1`
	allObjects = `SELECT id, size FROM link_object WHERE federation_id = $1`
)

// Commit makes all changes, in order, or none.
func (s *Store) Commit(ctx context.Context, changes []superlink.Change) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("committing the SuperLink's changes: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	b := batch{store: s, tx: tx, ready: map[string]*sql.Stmt{}}
	for _, c := range changes {
		if err := s.apply(ctx, &b, c); err != nil {
			return fmt.Errorf("committing the SuperLink's changes: %w", err)
		}
	}
	return tx.Commit()
}

// changing are the statements of [Store.Commit].
var changing = []string{putNode, putRun, putFAB, putLetter, putObject, dropLetter, dropObject}

// prepare prepares the statements of commits once for all: parsing them would take a good part of a small commit's time.
func (s *Store) prepare(ctx context.Context) error {
	s.ready = make(map[string]*sql.Stmt, len(changing))
	for _, query := range changing {
		st, err := s.write.PrepareContext(ctx, query) //nolint:sqlclosecheck // closed with the pool
		if err != nil {
			return fmt.Errorf("preparing the SuperLink's store: %w", err)
		}
		s.ready[query] = st
	}
	return nil
}

// batch runs prepared statements in a transaction.
type batch struct {
	store *Store
	tx    *sql.Tx
	ready map[string]*sql.Stmt // of the transaction
}

func (b *batch) exec(ctx context.Context, query string, args ...any) error {
	st := b.ready[query]
	if st == nil {
		st = b.tx.StmtContext(ctx, b.store.ready[query]) //nolint:sqlclosecheck // closed with the transaction
		b.ready[query] = st
	}
	_, err := st.ExecContext(ctx, args...)
	return err
}

func (s *Store) apply(ctx context.Context, b *batch, c superlink.Change) error {
	switch c := c.(type) {
	case superlink.NodeRow:
		return b.exec(ctx, putNode, s.fedID, int64(c.ID), some(c.PublicPEM), c.Name, c.Status, c.Interval.Milliseconds(),
			micros(c.RegisteredAt), micros(c.ActivatedAt), micros(c.DeactivatedAt), micros(c.UnregisteredAt))
	case superlink.RunRow:
		return b.exec(ctx, putRun, s.fedID, int64(c.ID), c.Key, c.FABHash, c.App, c.Version, some(c.Config), c.Status, c.SubStatus, c.Details,
			int64(c.TaskID), some(c.TokenHash), int64(c.BytesSent), int64(c.BytesReceived), c.ClientSeconds,
			micros(c.PendingAt), micros(c.StartingAt), micros(c.RunningAt), micros(c.FinishedAt))
	case superlink.FABRow:
		return b.exec(ctx, putFAB, s.fedID, c.Hash, c.Content)
	case superlink.LetterRow:
		return b.exec(ctx, putLetter, s.fedID, c.ID, int64(c.RunID), int64(c.NodeID), c.ReplyTo, some(c.Message), some(c.Tree), int(c.State))
	case superlink.ObjectRow:
		return b.exec(ctx, putObject, s.fedID, c.ID, c.Size, c.Content)
	case superlink.DropLetter:
		return b.exec(ctx, dropLetter, s.fedID, string(c))
	case superlink.DropObject:
		return b.exec(ctx, dropObject, s.fedID, string(c))
	}
	return fmt.Errorf("unknown change %T", c)
}

// Load returns what was committed last.
func (s *Store) Load(ctx context.Context) (out superlink.Snapshot, err error) {
	err = errors.Join(
		s.rows(ctx, allNodes, func(r *sql.Rows) error {
			n, err := scanNode(r)
			out.Nodes = append(out.Nodes, n)
			return err
		}),
		s.rows(ctx, allRuns, func(r *sql.Rows) error {
			n, err := scanRun(r)
			out.Runs = append(out.Runs, n)
			return err
		}),
		s.rows(ctx, allLetters, func(r *sql.Rows) error {
			n, err := scanLetter(r)
			out.Letters = append(out.Letters, n)
			return err
		}),
		s.rows(ctx, allObjects, func(r *sql.Rows) error {
			var n superlink.ObjectRow
			err := r.Scan(&n.ID, &n.Size)
			out.Objects = append(out.Objects, n)
			return err
		}),
	)
	return out, err
}

func scanNode(r *sql.Rows) (n superlink.NodeRow, err error) {
	var id, interval, registered, activated, deactivated, unregistered int64
	err = r.Scan(&id, &n.PublicPEM, &n.Name, &n.Status, &interval, &registered, &activated, &deactivated, &unregistered)
	n.ID, n.Interval = uint64(id), time.Duration(interval)*time.Millisecond
	n.RegisteredAt, n.ActivatedAt, n.DeactivatedAt, n.UnregisteredAt = at(registered), at(activated), at(deactivated), at(unregistered)
	return n, err
}

func scanRun(r *sql.Rows) (n superlink.RunRow, err error) {
	var id, task, sent, received, pending, starting, running, finished int64
	err = r.Scan(&id, &n.Key, &n.FABHash, &n.App, &n.Version, &n.Config, &n.Status, &n.SubStatus, &n.Details, &task, &n.TokenHash,
		&sent, &received, &n.ClientSeconds, &pending, &starting, &running, &finished)
	n.ID, n.TaskID, n.BytesSent, n.BytesReceived = uint64(id), uint64(task), uint64(sent), uint64(received)
	n.PendingAt, n.StartingAt, n.RunningAt, n.FinishedAt = at(pending), at(starting), at(running), at(finished)
	return n, err
}

func scanLetter(r *sql.Rows) (n superlink.LetterRow, err error) {
	var run, node int64
	err = r.Scan(&n.ID, &run, &node, &n.ReplyTo, &n.Message, &n.Tree, &n.State)
	n.RunID, n.NodeID = uint64(run), uint64(node)
	return n, err
}

func (s *Store) rows(ctx context.Context, query string, each func(*sql.Rows) error) error {
	rows, err := s.read.QueryContext(ctx, query, s.fedID)
	if err != nil {
		return fmt.Errorf("reading the SuperLink's store: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return fmt.Errorf("reading the SuperLink's store: %w", err)
		}
	}
	return rows.Err()
}

// Object returns the content of an object that is not in a file.
func (s *Store) Object(ctx context.Context, id string) ([]byte, error) {
	return s.content(ctx, `SELECT content FROM link_object WHERE federation_id = $1 AND id = $2`, id)
}

// FAB returns the content of a FAB.
func (s *Store) FAB(ctx context.Context, hash string) ([]byte, error) {
	return s.content(ctx, `SELECT content FROM link_fab WHERE federation_id = $1 AND hash = $2`, hash)
}

func (s *Store) content(ctx context.Context, query, name string) (out []byte, err error) {
	err = s.read.QueryRowContext(ctx, query, s.fedID, name).Scan(&out)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, domain.Errorf(domain.NotFound, "The SuperLink does not have %.12s.", name)
	}
	return out, err
}
