//go:build !participant

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"blossomtune/internal/backup"
	"blossomtune/internal/datadir"
	"blossomtune/internal/store"

	"github.com/alecthomas/kong"
)

var (
	shellBlock   = regexp.MustCompile("(?s)```sh\n(.*?)```")
	recipientPat = regexp.MustCompile(`age1[a-z0-9]{50,}`)
)

// The commands of docs/backup.md do what it says, in their order.
func TestTheBackupGuideRuns(t *testing.T) {
	guide, err := os.ReadFile("../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "var-lib")
	for _, d := range []string{data, filepath.Join(dir, "etc"), filepath.Join(dir, "backups")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	db, err := datadir.OpenDatabase(t.Context(), data, "sqlite:"+filepath.Join(data, "blossomtune.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	here := strings.NewReplacer("/var/lib/blossomtune", data, "/etc/blossomtune", filepath.Join(dir, "etc"), "/var/backups",
		filepath.Join(dir, "backups"), "/srv", dir)
	recipient, ran := "", 0
	for _, block := range shellBlock.FindAllStringSubmatch(string(guide), -1) {
		for line := range strings.Lines(block[1]) {
			words := strings.Fields(strings.ReplaceAll(here.Replace(line), "age1RECIPIENT", recipient))
			said, err := runLine(t, words[1:])
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if found := recipientPat.FindString(said); found != "" {
				recipient = found
			}
			ran++
		}
	}
	if ran < 5 {
		t.Errorf("the guide has %d commands", ran)
	}
	if _, err := os.Stat(filepath.Join(dir, "restored", "blossomtune.db")); err != nil {
		t.Error(err)
	}
	if db, err = store.OpenExisting(t.Context(), "sqlite:"+filepath.Join(data, "blossomtune.db")); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if r, err := backup.LastSuccess(t.Context(), db); err != nil || filepath.Base(r.File) != "small.backup" || !r.Clear {
		t.Errorf("the newest backup is %+v, %v", r, err)
	}
}

// runLine runs a command line in this process and returns what it printed.
func runLine(t *testing.T, args []string) (string, error) {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.Name("blossomtune"), kong.Vars{"doctor_help": doctorHelp},
		kong.BindTo(t.Context(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := parser.Parse(args)
	if err != nil {
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := os.Stdout
	os.Stdout = w
	err = k.Run()
	os.Stdout = out
	w.Close()
	said, readErr := io.ReadAll(r)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(said), err
}
