package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The program that servers hand out to participants stays small: it has no server, no database and no pages. It builds for every system.
func TestTheParticipantsProgramHasNoServer(t *testing.T) {
	for _, system := range []string{"linux/amd64", "darwin/arm64", "windows/amd64"} {
		goos, arch, _ := strings.Cut(system, "/")
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "participant", ".")
		list.Env = append(list.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0")
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", system, err)
		}
		all := strings.Fields(string(out))
		if !slices.Contains(all, "blossomtune/internal/agent") {
			t.Errorf("%s: the agent is missing", system)
		}
		for _, pkg := range all {
			for _, no := range []string{"blossomtune/internal/store", "blossomtune/internal/web", "blossomtune/internal/api",
				"blossomtune/internal/server",
				"database/sql", "modernc.org/sqlite", "github.com/prometheus", "github.com/jackc/pgx"} {
				if pkg == no || strings.HasPrefix(pkg, no+"/") {
					t.Errorf("%s: %s is in it", system, pkg)
				}
			}
		}
	}
}
