package servertest

import (
	"blossomtune/internal/config"
	"blossomtune/internal/server"
	"log/slog"
	"testing"
)

// At makes a server that is not started, on a data directory and a database; "": SQLite in that directory.
func At(t *testing.T, data, database string) (*server.Server, error) {
	t.Helper()
	c := config.Config{Data: data, Listen: "127.0.0.1:0", Database: database}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	return server.New(t.Context(), server.Options{Config: c, Version: "test", Log: slog.New(slog.DiscardHandler), Keeper: NoKeeper})
}

// MustAt is [At] in a data directory and a database that no other server uses.
func MustAt(t *testing.T, data, database string) *server.Server {
	t.Helper()
	a, err := At(t, data, database)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Stop stops a server; its engines run on.
func Stop(t *testing.T, a *server.Server) {
	t.Helper()
	if err := a.Stop(t.Context(), false); err != nil {
		t.Error(err)
	}
}
