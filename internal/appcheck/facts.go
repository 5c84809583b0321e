package appcheck

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/flower/apphost"
)

//go:embed program/*.py
var program embed.FS

// Limits of the program that reads an app's sources.
const (
	readLimit = time.Minute
	maxFacts  = 4 << 20 // bytes of its answer
)

// fact is something in an app's sources that does not fit.
type fact struct {
	Kind   string `json:"kind"`   // syntax, component, flwr, own, package or version
	File   string `json:"file"`   // in the FAB
	Line   int    `json:"line"`   // 0: not known
	Module string `json:"module"` // of own and component: the app's module
	Name   string `json:"name"`   // of what is missing; of syntax: Python's message; of version: what the app asks for
	Part   string `json:"part"`   // of component: serverapp or clientapp
	Made   string `json:"made"`   // of component: what it is instead; empty: it is not defined
	Maybe  bool   `json:"maybe"`  // the import runs only under a condition, or when a function is called
}

func (f fact) place() string { return place(f.File, f.Line) }

// keyRead is a key that the code reads from the run config.
type keyRead struct {
	Key      string `json:"key"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Optional bool   `json:"optional"` // the code copes with a missing key
	Reached  bool   `json:"reached"`  // the components import the file
}

// sources is what the program finds.
type sources struct {
	Facts    []fact    `json:"facts"`
	Reads    []keyRead `json:"reads"`
	Computed *struct { // a use of the run config that may read any key; nil: there is none
		File string `json:"file"`
		Line int    `json:"line"`
	} `json:"computed"`
	Lacking []string `json:"lacking"` // [project] dependencies that the pinned environment lacks
}

// readSources finds out what the sources of a FAB need. Nothing of the app is executed.
func readSources(ctx context.Context, pool *apphost.Pool, dir string, fab []byte) (s sources, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	if err := os.CopyFS(dir, program); err != nil {
		return s, fmt.Errorf("writing the program that reads the sources: %w", err)
	}
	text, err := pool.Inspect(ctx, filepath.Join(dir, "program"), fab, maxFacts)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the app's sources: %w", err)
	}
	return s, nil
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}
