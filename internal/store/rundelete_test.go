package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/store"
)

var (
	aTable  = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`)
	ofARun  = regexp.MustCompile(`(?m)^\s*(run_id|engine_run_id)\s`)
	keptFor = []string{"run"} // the row itself stays, emptied
)

// Each table whose rows belong to a run is emptied when the run's data is removed.
func TestPurgingARunKnowsEachTableOfRuns(t *testing.T) {
	files, err := filepath.Glob("migrations/sqlite/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range aTable.FindAllStringSubmatch(string(text), -1) {
			name, columns := m[1], m[2]
			if !ofARun.MatchString(columns) || slices.Contains(keptFor, name) {
				continue
			}
			if found++; !slices.Contains(store.TablesOfRuns(), name) {
				t.Errorf("%s: rows of %s stay when a run is removed", filepath.Base(file), strings.ToLower(name))
			}
		}
	}
	if found != len(store.TablesOfRuns()) {
		t.Errorf("%d tables are found, %d are emptied", found, len(store.TablesOfRuns()))
	}
}
