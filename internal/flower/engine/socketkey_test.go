package engine

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// Only a request with the key of the directory passes: none, another directory's and that of a missing file do not.
func TestAKeeperTakesOrdersWithItsKeyOnly(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for path, secret := range map[string]string{dir: "the secret of this federation", other: "that of another"} {
		if err := os.WriteFile(filepath.Join(path, secretName), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := keyed(readSocketKey(dir), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for key, want := range map[string]int{readSocketKey(dir): http.StatusNoContent, "": http.StatusForbidden, readSocketKey(other): http.StatusForbidden, readSocketKey(t.TempDir()): http.StatusForbidden} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/stop", nil)
		r.Header.Set(keyHeader, key)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("with the key %q: %d, want %d", key, w.Code, want)
		}
	}
}
