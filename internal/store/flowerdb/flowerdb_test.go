package flowerdb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/testflwr"
)

// state has Flower's own state do something in a database; it prints its result.
func state(t *testing.T, path, do string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testflwr.Venv(t).Bin("python"), "-c", `
import sys
from flwr.server.superlink.linkstate.linkstate_factory import LinkStateFactory
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.superlink.federation import NoOpFederationManager
objects = ObjectStoreFactory(sys.argv[1])
state = LinkStateFactory(sys.argv[1], NoOpFederationManager(), objects).state()
print(`+do+`)`, path)
	cmd.Env = append(os.Environ(), "FLWR_HOME="+t.TempDir(), "FLWR_TELEMETRY_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		var e *exec.ExitError
		errors.As(err, &e)
		t.Fatalf("%v: %s", err, e.Stderr)
	}
	lines := strings.Fields(string(out))
	return lines[len(lines)-1]
}

// The pinned flwr knows a node by the ID that we gave it, however large. A node that was active keeps its ID, as does one in a database of
// another schema.
func TestANodeGetsAnotherID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "superlink.db")
	const want = uint64(17_000_000_000_000_000_001)
	from, err := strconv.ParseUint(state(t, path, `state.create_node("owner", "name", b"key", 30)`), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := SetNodeID(t.Context(), path, from+1, want); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a node that does not exist: %v", err)
	}
	if err := SetNodeID(t.Context(), path, from, want); err != nil {
		t.Fatal(err)
	}
	const both = `[state.get_node_id_by_public_key(b"key"), state.activate_node(%, 30), state.acknowledge_node_heartbeat(%, 30)]`
	id := strconv.FormatUint(want, 10)
	if got := state(t, path, `",".join(map(str, `+strings.ReplaceAll(both, "%", id)+`))`); got != id+",True,True" {
		t.Errorf("Flower says %s", got)
	}
	if err := SetNodeID(t.Context(), path, want, from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a node that was active: %v", err)
	}
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.ExecContext(context.Background(), `UPDATE alembic_version SET version_num = 'another';
			UPDATE node SET status = 'registered', last_activated_at = NULL`)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := SetNodeID(t.Context(), path, want, from); !errors.Is(err, ErrUnknownSchema) {
		t.Errorf("another schema: %v", err)
	}
	if err := SetNodeID(t.Context(), filepath.Join(t.TempDir(), "none.db"), 1, 2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no database: %v", err)
	}
}
