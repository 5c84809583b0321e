package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"

	"github.com/jackc/pgx/v5"
)

// session is the connection to PostgreSQL that holds the advisory lock of the one server, and what is known when it drops.
type session struct {
	turn    chan struct{} // held by who uses conn
	conn    *pgx.Conn
	backend int // the process of PostgreSQL that answers on it

	mark atomic.Pointer[string] // what [DB.Fence] wrote; nil: write transactions are not checked
	once sync.Once
	lost chan struct{} // closed when another server has taken the database
	why  error         // set before
}

func newSession() *session {
	return &session{turn: make(chan struct{}, 1), lost: make(chan struct{})}
}

// use calls do with the connection, one at a time.
func (s *session) use(ctx context.Context, do func() error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	ownKey    = 0x626c6f73 // the first half of the advisory lock's key; the schema is the other
	ownerMark = "owner"    // in the settings: the server that took the database last
)

// Variables for tests.
var (
	sessionEvery  = 2 * time.Second  // between two checks of the session
	sessionAnswer = 5 * time.Second  // for one answer of PostgreSQL
	sessionLinger = 45 * time.Second // PostgreSQL needs up to 25 s to notice that a connection has vanished
)

// ownSession takes the advisory lock with a connection of its own.
func (db *DB) ownSession(ctx context.Context) error {
	conn, err := db.openSession(ctx)
	if err != nil {
		return fmt.Errorf("taking the database: %w", err)
	}
	backend, err := db.keptSession(ctx, conn)
	if err == nil && backend == 0 {
		err = errPooled()
	}
	if err != nil {
		closeSession(ctx, conn)
		return err
	}
	db.session.conn, db.session.backend = conn, backend
	db.noteStop = db.session.noteStop
	db.release = db.session.release
	return nil
}

func errPooled() *domain.Error {
	return domain.Errorf(domain.Invalid, "The pooler in front of PostgreSQL does not keep sessions, so the server cannot own the database.").
		Fix("Set pool_mode = session for this database in PgBouncer, or let --database name PostgreSQL itself.")
}

// openSession returns a connection with the lock, or [filelock.ErrHeld].
func (db *DB) openSession(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, sessionAnswer)
	defer cancel()
	conf, err := pgx.ParseConfig(db.address)
	if err != nil {
		return nil, err
	}
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec // a pooler may not keep prepared statements
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, err
	}
	var got bool
	// A host that vanished must not keep the lock for the two hours that TCP needs by default.
	_, err = conn.Exec(ctx, "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), "+
		"set_config('tcp_keepalives_count', '3', false), set_config('application_name', $1::text, false)", ownName())
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1::int, hashtext(coalesce(current_schema(), '')))", ownKey).Scan(&got)
	}
	if err == nil && !got {
		err = filelock.ErrHeld
	}
	if err != nil {
		closeSession(ctx, conn)
		return nil, err
	}
	return conn, nil
}

func closeSession(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is of no more use either way
}

// keptSession returns the process of PostgreSQL that a connection stays with, 0 if it does not stay with one. A pooler in transaction mode
// lends the session to others between two transactions, so a second connection with an open transaction takes it away.
func (db *DB) keptSession(ctx context.Context, conn *pgx.Conn) (backend int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*sessionAnswer)
	defer cancel()
	backend, err = lockingBackend(ctx, conn)
	if err != nil || backend == 0 {
		return 0, err
	}
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("beginning transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	var other int
	if err := tx.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&other); err != nil {
		return 0, fmt.Errorf("asking for PostgreSQL's session: %w", err)
	}
	if other == backend {
		return 0, nil
	}
	if after, err := lockingBackend(ctx, conn); err != nil || after != backend {
		return 0, err
	}
	return backend, nil
}

// lockingBackend returns the process of PostgreSQL that answers on a connection, 0 if that does not hold the lock.
func lockingBackend(ctx context.Context, conn *pgx.Conn) (pid int, err error) {
	err = conn.QueryRow(ctx, "SELECT coalesce((SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "+
		"AND pid = pg_backend_pid() AND classid = $1::oid), 0)", ownKey).Scan(&pid)
	if err != nil {
		return 0, fmt.Errorf("asking for PostgreSQL's session: %w", err)
	}
	return pid, nil
}

// ownName names this process in PostgreSQL's list of sessions; with what is added when it stops, it has less than 64 bytes.
func ownName() string { return fmt.Sprintf("process %d on %s", os.Getpid(), ownHost()) }

func ownHost() string {
	host, _ := os.Hostname() // only shown to people
	return domain.Cut(host, 20)
}

var ownPattern = regexp.MustCompile(`^process (\d+) on (\S*)(?: stopping (\d+))?$`)

// sessionHolder returns which server holds the lock, and the process of PostgreSQL that holds it for that server.
func (db *DB) sessionHolder(ctx context.Context) (h filelock.Holder, backend int) {
	var name string
	err := db.read.QueryRowContext(ctx, `SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND l.database = (SELECT oid FROM pg_database
		WHERE datname = current_database()) LIMIT 1`, ownKey).Scan(&name, &backend)
	m := ownPattern.FindStringSubmatch(name)
	if err != nil || m == nil {
		return h, backend
	}
	h.PID, _ = strconv.Atoi(m[1]) // the pattern is digits
	if m[2] != ownHost() {
		h.Host = m[2]
	}
	if ms, err := strconv.ParseInt(m[3], 10, 64); err == nil {
		h.Stopping = time.UnixMilli(ms)
	}
	return h, backend
}

func (s *session) noteStop(ctx context.Context, until time.Time) error {
	return s.use(ctx, func() error {
		_, err := s.conn.Exec(ctx, "SELECT set_config('application_name', $1::text, false)",
			fmt.Sprintf("%s stopping %d", ownName(), until.UnixMilli()))
		return err
	})
}

func (s *session) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.use(ctx, func() error { closeSession(ctx, s.conn); return nil })
}

// Fence makes every later write transaction check that no other server has taken the database since. Call it after [DB.Own] and
// [DB.Migrate]. On SQLite, whose lock the kernel keeps, it does nothing.
func (db *DB) Fence(ctx context.Context) error {
	if db.session == nil {
		return nil
	}
	mark := rand.Text()
	if err := db.InTx(ctx, func(tx *Tx) error { return tx.PutSetting(ctx, ownerMark, mark) }); err != nil {
		return fmt.Errorf("taking the database: %w", err)
	}
	db.session.mark.Store(&mark)
	return nil
}

// stillOwner returns why a write transaction may not go on. The check is a part of the transaction, so it holds at the commit.
func (db *DB) stillOwner(ctx context.Context, q querier) error {
	if db.session == nil {
		return nil
	}
	mark := db.session.mark.Load()
	if mark == nil {
		return nil
	}
	now, err := (&Tx{q: q, postgres: true}).Setting(ctx, ownerMark)
	if err == nil && now != *mark {
		h, _ := db.sessionHolder(ctx)
		err = db.session.lose(errTaken(h))
	}
	return err
}

func errTaken(by filelock.Holder) *domain.Error {
	return domain.Errorf(domain.Unavailable,
		"Another BlossomTune server (%s) has taken the database, while this one's session with PostgreSQL was interrupted.", by).
		Fix("Stop one of them for good, then start the other again.")
}

// lose notes, once, why this process is no longer the server of the database, and returns what was noted.
func (s *session) lose(why error) error {
	s.once.Do(func() {
		s.why = why
		close(s.lost)
	})
	return s.why
}

// lostTo returns why this process is no longer the server of the database; nil while it is, or never was.
func (db *DB) lostTo() error {
	if db.session == nil {
		return nil
	}
	select {
	case <-db.session.lost:
		return db.session.why
	default:
		return nil
	}
}

// KeepOwned watches the ownership that [DB.Own] has taken until ctx ends, and then returns nil. A session that drops is opened again.
// If another server has taken the database meanwhile, it returns why; from then on write transactions return the same error.
func (db *DB) KeepOwned(ctx context.Context, log *slog.Logger) error {
	if db.session == nil || db.session.conn == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(sessionEvery)
	defer tick.Stop()
	var dropped time.Time // since when the session is gone; zero while it is there
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-db.session.lost:
			return db.session.why
		case <-tick.C:
		}
		err := db.session.use(ctx, func() error { return db.checkSession(ctx, dropped) })
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !dropped.IsZero():
			log.Info("the session with PostgreSQL is back; the database is still this server's")
			dropped = time.Time{}
		case err != nil && dropped.IsZero():
			log.Warn("the session with PostgreSQL that makes this the only server has dropped; taking it again", "err", err)
			dropped = time.Now()
		}
	}
}

// checkSession checks that the lock is held, or takes it again with a new connection.
func (db *DB) checkSession(ctx context.Context, dropped time.Time) error {
	s := db.session
	if dropped.IsZero() {
		return s.holdsLock(ctx)
	}
	closeSession(ctx, s.conn)
	conn, err := db.openSession(ctx)
	if errors.Is(err, filelock.ErrHeld) {
		switch h, backend := db.sessionHolder(ctx); {
		case backend != 0 && backend != s.backend:
			return s.lose(errTaken(h))
		case backend == s.backend && time.Since(dropped) > sessionLinger: // a pooler has kept it
			return s.lose(errPooled())
		} // else PostgreSQL has not noticed that the old connection is gone
	}
	if err == nil {
		s.conn = conn
		s.backend, err = lockingBackend(ctx, conn)
	}
	if err != nil {
		return err
	}
	// Another server may have come and gone.
	return db.InTx(ctx, func(*Tx) error { return nil })
}

func (s *session) holdsLock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sessionAnswer)
	defer cancel()
	pid, err := lockingBackend(ctx, s.conn)
	if err == nil && pid == 0 {
		err = errors.New("it does not hold the lock")
	}
	return err
}
