// Package storetest gives tests a database of each kind that the product runs on: an SQLite file and a real PostgreSQL.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"blossomtune/internal/store"
)

// Each runs the test on a fresh, migrated database of each kind. A PostgreSQL that is not installed fails the test.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite returns a fresh, migrated SQLite database, closed with the test.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
}

// Postgres returns a fresh, migrated database in a PostgreSQL that all tests of the process share.
func Postgres(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, PostgresURL(t))
}

// Open opens and migrates the database at an address, closed with the test.
func Open(t testing.TB, address string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return db
}

// PostgresURL creates an empty database and returns its address.
func PostgresURL(t testing.TB) string {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text()[:16])
	if out, err := c.command("psql", "-h", c.dir, "-d", "postgres", "-qc", "CREATE DATABASE "+name).CombinedOutput(); err != nil {
		t.Fatalf("creating a PostgreSQL database: %v\n%s", err, out)
	}
	return fmt.Sprintf("postgres://postgres@/%s?host=%s", name, c.dir)
}

// EndOwner ends the session that makes a server the only one on a PostgreSQL database, as an administrator or a restart of PostgreSQL does.
func EndOwner(t testing.TB, address string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ended := 0
	err = db.QueryRow("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name LIKE 'process % on %' " +
		"AND datname = current_database()").Scan(&ended)
	if err != nil || ended != 1 {
		t.Fatalf("%d sessions ended: %v", ended, err)
	}
}

// cluster is a PostgreSQL in a directory of its own, reached by a unix socket there.
type cluster struct {
	bin, dir string
	cred     *syscall.Credential
}

// shared starts the process's cluster once. It is ended by the kernel when the test process ends, however that happens.
var shared = sync.OnceValues(start)

func start() (*cluster, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); len(found) == 0 && err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("PostgreSQL is not installed; these tests need it (Debian: apt-get install postgresql)")
	}
	c := &cluster{bin: filepath.Dir(slices.Max(found))}
	var err error
	sweep()
	if c.dir, err = os.MkdirTemp("/tmp", prefix); err != nil { // short: a socket's path has at most 107 bytes
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(c.dir, owner), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if c.cred, err = postgresUser(); err != nil {
			return nil, err
		}
		if err := os.Chown(c.dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(c.dir, "data")
	if out, err := c.command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "--no-instructions").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c, c.serve(data)
}

const (
	prefix = "btpg-"
	owner  = "owner" // the file with the id of the test process
)

// sweep removes what earlier test processes left: their PostgreSQL ended with them, its directory did not.
func sweep() {
	left, _ := filepath.Glob(filepath.Join("/tmp", prefix+"*"))
	for _, dir := range left {
		text, err := os.ReadFile(filepath.Join(dir, owner))
		if err != nil {
			continue // it is just being made, or another user's
		}
		if pid, err := strconv.Atoi(string(text)); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}

func (c *cluster) serve(data string) error {
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	go func() {
		cmd := c.command("postgres", "-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
		dieWith(cmd.SysProcAttr)
		cmd.Stdout, cmd.Stderr = log, log
		ready <- cmd.Start()
		_ = cmd.Wait()
	}()
	if err := <-ready; err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	if out, err := c.command("pg_ctl", "status", "-D", data).CombinedOutput(); err != nil && len(out) == 0 {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	return c.awaitReady()
}

// awaitReady asks until PostgreSQL accepts connections; pg_isready waits up to a second by itself each time.
func (c *cluster) awaitReady() error {
	var out []byte
	var err error
	for range 3000 {
		if out, err = c.command("pg_isready", "-h", c.dir, "-t", "1").CombinedOutput(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, out)
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	if name == "psql" {
		args = append([]string{"-U", "postgres"}, args...)
	}
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Setpgid: true}
	return cmd
}

func postgresUser() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
