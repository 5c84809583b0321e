//go:build unix

package engine

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/filelock"
	"blossomtune/internal/keeper"
)

// A directory whose numbers have changed, as on an overlay or a network file system, is still the keeper's; a copy that reaches the same
// keeper, as one of hard links does, is not.
func TestADirectoryWithOtherNumbersIsTheSame(t *testing.T) {
	dir, linked := t.TempDir(), t.TempDir()
	lock, err := lockKeeper(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	const before = "1:1" // the numbers when the keeper was started
	self, _ := keeper.Of(os.Getpid())
	if err := writeJSON(filepath.Join(dir, stateName), state{Keeper: self, Dir: before}); err != nil {
		t.Fatal(err)
	}
	k := &server{dir: dir}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /same", k.same)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(Status{Protocol: protocol, PID: os.Getpid(), Dir: before})
	})
	ln, err := listenSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer srv.Close()
	go func() { _ = srv.Serve(ln) }()
	for _, name := range []string{lockName, stateName, sockName} {
		if err := os.Link(filepath.Join(dir, name), filepath.Join(linked, name)); err != nil {
			t.Fatal(err)
		}
	}
	if filelock.DirID(dir) == before {
		t.Fatal("the numbers have not changed")
	}
	if running, err := runningKeeper(t.Context(), dir); running != self || err != nil {
		t.Errorf("the keeper of the directory is %v, %v; want %v", running, err, self)
	}
	if st, err := newLink(dir).status(t.Context()); err != nil || st.PID != os.Getpid() {
		t.Errorf("the keeper's status is %+v, %v", st, err)
	}
	if running, err := runningKeeper(t.Context(), linked); running != (keeper.Identity{}) || err != nil {
		t.Errorf("the copy owns %v, %v", running, err)
	}
	if _, err := newLink(linked).status(t.Context()); err == nil {
		t.Error("the copy takes the original's keeper for its own")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, markPrefix+"*")); len(left) > 0 {
		t.Errorf("marks are left: %v", left)
	}
}
