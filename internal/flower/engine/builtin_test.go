package engine

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store/linkstore"
)

// served runs a keeper with the builtin SuperLink in this process until the test ends.
func served(t *testing.T, root string, fedID int64) {
	t.Helper()
	dir := FedDir(root, fedID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(filepath.Join(dir, settingsName), settings{Engine: Builtin}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, ServeOptions{DataDir: root, FederationID: fedID, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
			LinkStore: func(ctx context.Context) (OpenStore, error) {
				return linkstore.Open(ctx, "sqlite:"+filepath.Join(dir, "link.db"), fedID)
			}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	awaits(t, func() (any, bool) {
		st, err := newLink(dir).status(t.Context())
		return err, err == nil && st.SuperLink.State == domain.SuperLinkUp
	})
}

// awaits polls until done; it fails the test with what was seen last.
func awaits(t *testing.T, done func() (any, bool)) {
	t.Helper()
	limit, tick := time.After(10*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		seen, ok := done()
		if ok {
			return
		}
		select {
		case <-limit:
			t.Fatal(seen)
		case <-tick.C:
		}
	}
}

// attached is a server's manager of a keeper that runs already.
func attached(t *testing.T, root string, fedID int64) (*Manager, Control) {
	t.Helper()
	m := NewManager(ManagerOptions{DataDir: root, Engine: func(int64) string { return Builtin }, Clock: time.Now,
		Log: slog.New(slog.DiscardHandler)})
	m.Start(fedID)
	var c Control
	awaits(t, func() (any, bool) {
		var err error
		c, err = m.Control(fedID)
		return m.Status(fedID), err == nil
	})
	return m, c
}

// A server that is killed between StartRun and its note of the engine run asks again after its restart: there is one engine run.
func TestARunIsStartedOnceByItsKey(t *testing.T) {
	const fed = 3
	root := t.TempDir()
	served(t, root, fed)
	order := RunOrder{Key: "7-1764410000000", FAB: []byte("fab"), App: "p/n", Version: "1.0.0", Config: map[string]any{"lr": 0.1}}
	first, control := attached(t, root, fed)
	id, err := control.StartRun(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	first.Detach()

	second, control := attached(t, root, fed)
	defer second.Detach()
	again, err := control.StartRun(t.Context(), order)
	if err != nil || again != id {
		t.Errorf("the second StartRun gives %d, the first %d: %v", again, id, err)
	}
	all, err := control.ListRuns(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != id || all[0].Key != order.Key || !second.Keyed(fed) {
		t.Errorf("%v: the engine runs are %+v", err, all)
	}
	if st := second.Status(fed); st.State != domain.SuperLinkUp || st.Engine != domain.EngineBuiltin {
		t.Errorf("the SuperLink is %+v", st)
	}
}
