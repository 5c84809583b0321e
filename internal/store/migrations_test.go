package store_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/migrations.sum")

// A migration that has landed is never changed: databases that it made would differ from new ones. What is new is added with -update.
func TestLandedMigrationsAreNotChanged(t *testing.T) {
	const sums = "testdata/migrations.sum"
	found, err := filepath.Glob("migrations/*/*.sql")
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	slices.Sort(found)
	var now strings.Builder
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&now, "%x  %s\n", sha256.Sum256(text), filepath.ToSlash(path))
	}
	if *update {
		if err := os.WriteFile(sums, []byte(now.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	landed, err := os.ReadFile(sums)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(landed)) {
		if !strings.Contains(now.String(), line) {
			t.Errorf("a migration was changed, renamed or removed: %s", line)
		}
	}
}
