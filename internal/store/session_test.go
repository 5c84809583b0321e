package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

func owning(t *testing.T, address string) *store.DB {
	t.Helper()
	db := storetest.Open(t, address)
	if err := db.Own(ctx, noWait); err != nil {
		t.Fatal(err)
	}
	if err := db.Fence(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

func put(db *store.DB, value string) error {
	return db.InTx(ctx, func(tx *store.Tx) error { return tx.PutSetting(ctx, "x", value) })
}

// keeping watches the ownership beside a test.
func keeping(t *testing.T, db *store.DB) (ended chan error) {
	t.Helper()
	watching, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	ended = make(chan error, 1)
	go func() { ended <- db.KeepOwned(watching, slog.New(slog.DiscardHandler)) }()
	return ended
}

// A session that drops is taken again, and the server goes on.
func TestADroppedSessionIsTakenAgain(t *testing.T) {
	defer store.SetSessionEvery(20 * time.Millisecond)()
	address := storetest.PostgresURL(t)
	first := owning(t, address)
	ended := keeping(t, first)
	second := storetest.Open(t, address)
	for range 3 {
		storetest.EndOwner(t, address)
		deadline := time.Now().Add(20 * time.Second)
		for holder := ""; !strings.Contains(holder, "process"); {
			err := second.View(ctx, func(tx *store.Tx) (err error) { holder, err = tx.LockHolder(ctx); return err })
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("the session was not taken again: %q %v", holder, err)
			}
		}
		if err := put(first, "on"); err != nil {
			t.Errorf("with the new session: %v", err)
		}
	}
	told(t, second.Own(ctx, noWait), domain.Conflict, fmt.Sprintf("process %d", os.Getpid()))
	select {
	case err := <-ended:
		t.Errorf("it was given up: %v", err)
	default:
	}
}

// When another server has taken the database meanwhile, the first one writes nothing more, from its next transaction on.
func TestAServerThatLostTheDatabaseWritesNothing(t *testing.T) {
	defer store.SetSessionEvery(time.Hour)() // it has not noticed yet
	address := storetest.PostgresURL(t)
	first := owning(t, address)
	ended := keeping(t, first)
	storetest.EndOwner(t, address)
	second := owning(t, address)
	if err := put(second, "second"); err != nil {
		t.Fatal(err)
	}
	told(t, put(first, "first"), domain.Unavailable, "has taken the database")
	told(t, first.Ready(ctx), domain.Unavailable, "has taken the database")
	told(t, <-ended, domain.Unavailable, "has taken the database")
	var value string
	if err := first.View(ctx, func(tx *store.Tx) (err error) { value, err = tx.Setting(ctx, "x"); return err }); err != nil || value != "second" {
		t.Errorf("the database has %q, %v", value, err)
	}
	second.Close()
	told(t, put(first, "first"), domain.Unavailable, "has taken the database") // also when the other one has gone
}

// A transaction that began before the other server came cannot end after it as if nothing had been.
func TestATransactionUnderWayIsFencedToo(t *testing.T) {
	defer store.SetSessionEvery(time.Hour)()
	address := storetest.PostgresURL(t)
	first := owning(t, address)
	var seen string
	err := first.InTx(ctx, func(tx *store.Tx) (err error) {
		if _, err = tx.Setting(ctx, "x"); err != nil { // its view of the database is from here
			return err
		}
		storetest.EndOwner(t, address)
		second := owning(t, address)
		if err := put(second, "second"); err != nil {
			return err
		}
		if err := second.View(ctx, func(tx *store.Tx) (err error) { seen, err = tx.Setting(ctx, "x"); return err }); err != nil {
			return err
		}
		return tx.PutSetting(ctx, "x", "first")
	})
	if err == nil || seen != "second" {
		t.Errorf("the first server's transaction ended with %v; the second had seen %q", err, seen)
	}
}

// A pooler in transaction mode gives the lock's session away: two servers could own the database.
func TestAPoolerThatKeepsNoSessionsIsRefused(t *testing.T) {
	for sessions := 1; sessions <= 2; sessions++ {
		t.Run(fmt.Sprint(sessions), func(t *testing.T) {
			address := storetest.PostgresURL(t)
			storetest.Open(t, address).Close()
			db, err := store.Open(ctx, pooled(t, address, sessions))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			told(t, db.Own(ctx, noWait), domain.Invalid, "does not keep sessions")
		})
	}
}

// pooled returns the address of a pooler in transaction mode with so many sessions at address.
func pooled(t *testing.T, address string, sessions int) string {
	t.Helper()
	free := make(chan *pgconn.HijackedConn, sessions)
	for range sessions {
		conn, err := pgconn.Connect(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		h, err := conn.Hijack()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Conn.Close() })
		free <- h
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = pool(pgproto3.NewBackend(c, c), free) // a client that leaves
			}()
		}
	}()
	name, _, _ := strings.Cut(strings.SplitN(address, "@/", 2)[1], "?")
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", ln.Addr(), name)
}

// pool serves one client: each transaction gets the session that has been free for longest.
func pool(client *pgproto3.Backend, free chan *pgconn.HijackedConn) error {
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return err
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	client.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := client.Flush(); err != nil {
		return err
	}
	var h *pgconn.HijackedConn
	for {
		m, err := client.Receive()
		if err != nil {
			return err
		}
		if _, ends := m.(*pgproto3.Terminate); ends {
			return errors.New("the client has ended")
		}
		if h == nil {
			h = <-free
		}
		h.Frontend.Send(m)
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
			ready, err := relay(h, client)
			if err != nil {
				return err
			}
			if ready == 'I' {
				free <- h
				h = nil
			}
		}
	}
}

func relay(h *pgconn.HijackedConn, client *pgproto3.Backend) (status byte, err error) {
	if err := h.Frontend.Flush(); err != nil {
		return 0, err
	}
	for {
		m, err := h.Frontend.Receive()
		if err != nil {
			return 0, err
		}
		client.Send(m)
		if r, ready := m.(*pgproto3.ReadyForQuery); ready {
			return r.TxStatus, client.Flush()
		}
	}
}
