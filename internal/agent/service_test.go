package agent

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is made as what is wanted")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var sample = service{Name: "blossomtune-fl-example-org_cardio", Title: `SuperNode of 100 % "Cardio"`, Home: "/srv/fl data/cardio", Base: "/srv/fl data",
	Args: []string{"/usr/local/bin/blossomtune", "join", "https://fl.example.org", "--dir", "/srv/fl data/cardio", "--deps", `a"b\c%d$e`}}

func TestServiceFiles(t *testing.T) {
	golden(t, "user.service", sample.unit())
	system := sample
	system.User = "fl"
	golden(t, "system.service", system.unit())
	golden(t, "service.plist", sample.plist())
}

// systemd itself takes the units.
func TestSystemdTakesTheUnits(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"", "root"} {
		s := sample
		s.User, s.Folder = user, t.TempDir()
		s.Args = append([]string{self}, sample.Args[1:]...)
		file := filepath.Join(s.Folder, s.Name+".service")
		if err := os.WriteFile(file, []byte(s.unit()), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
		if err != nil || strings.Contains(string(out), s.Name) {
			t.Errorf("user %q: %v: %s", user, err, out)
		}
	}
}
