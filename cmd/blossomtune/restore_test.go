//go:build !participant

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
	"blossomtune/internal/server"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// The command of docs/upgrading.md undoes an upgrade that failed halfway, and does nothing where there is nothing to undo.
func TestTheUpgradeGuideRuns(t *testing.T) {
	guide, err := os.ReadFile("../../docs/upgrading.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlock.FindAllStringSubmatch(string(guide), -1)
	if len(blocks) != 1 {
		t.Fatalf("the guide has %d commands", len(blocks))
	}
	set := config.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	if err := set.Resolve(); err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(strings.ReplaceAll(blocks[0][1], "/var/lib/blossomtune", set.Data))[1:]
	if _, err := runLine(t, command); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("without an upgrade: %v", err)
	}
	old := storetest.AtVersions(t, set.Database)
	old.To(20261129081000)
	old.Exec("INSERT INTO person (id, email, name, organisation, admin, created_at) VALUES (1, 'a@example.org', 'A', '', 1, 1);\n" +
		"CREATE INDEX node_key_by_status ON node_key (id)") // a later migration fails at this
	old.Close()
	_, err = server.New(t.Context(), server.Options{Config: set, Version: "new", Log: slog.New(slog.DiscardHandler),
		Keeper: func(int64) keeper.Spec { return keeper.Spec{} }})
	if err == nil {
		t.Fatal("the upgrade did not fail")
	}
	said, err := runLine(t, command)
	if err != nil || !strings.Contains(said, "as it was at") || !strings.Contains(said, filepath.Join(set.Data, "backups", "replaced-")) {
		t.Errorf("%v: %s", err, said)
	}
	db, err := store.OpenExisting(t.Context(), set.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if s, err := db.Schema(t.Context()); err != nil || s.Newest() != 20261129081000 {
		t.Errorf("the schema is %d, %v", s.Newest(), err)
	}
}
