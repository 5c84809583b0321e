package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// changedApp adds a copy of one of the apps of e2e/apps with some texts of its files replaced.
func (s *server) changedApp(name string, changes map[string][2]string) string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(testflwr.Root(s.t), "e2e", "apps", name))); err != nil {
		s.t.Fatal(err)
	}
	for file, c := range changes {
		edit(s.t, filepath.Join(dir, file), c[0], c[1])
	}
	fab, err := s.env.BuildFAB(s.t.Context(), dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var a struct{ Hash string }
	s.admin.must("POST", "/apps?filename="+name+".fab", fab, &a)
	return a.Hash
}

const plainDeps = `dependencies = ["flwr>=1.41,<1.42"]`

// needing is the app "works" with further dependencies.
func (s *server) needing(deps string) string {
	s.t.Helper()
	return s.changedApp("works", map[string][2]string{"pyproject.toml": {plainDeps, strings.TrimSuffix(plainDeps, "]") + ", " + deps + "]"}})
}

// What uv itself says of packages that cannot be had, from the package index that this machine is configured with: read out of a real
// run's log, and of a real ClientApp's error.
func TestPackagesThatCannotBeHadAreNamed(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	conflict := "packaging >=24.0,<26.0 of flwr " + s.env.FlwrVersion + " and packaging <20 of the app do not fit"
	for name, c := range map[string]struct{ deps, message, line string }{
		"no-package": {`"surely-no-such-package-of-anyone==1.0"`, "Installing surely-no-such-package-of-anyone 1.0 failed: the package index has no such package", "was not found in the package registry"},
		"no-version": {`"iniconfig==999.1"`, "Installing iniconfig 999.1 failed: no such version (", "there is no version of iniconfig==999.1"},
		"too-new":    {`"iniconfig>999"`, "Installing iniconfig >999 failed: no such version; the package index has iniconfig <=", "and your project depends on iniconfig>999"},
		"conflict":   {`"packaging<20"`, "Installing the app's packages failed: " + conflict, "And because your project depends on packaging<20"},
	} {
		t.Run(name, func(t *testing.T) {
			s.launchWith(s.needing(c.deps), name, nil, map[string]any{"install_dependencies": true})
			r := s.failedBy(name, "608", "ServerApp", c.message, 2*time.Minute)
			if r.Cause.ExitCode != 608 || !strings.Contains(r.Cause.Line, c.line) || !strings.Contains(s.logLine(r, r.Cause.LogLine), c.line) {
				t.Errorf("%+v; the log has %q", *r.Cause, s.logLine(r, r.Cause.LogLine))
			}
		})
	}
	t.Run("beside a SuperNode", func(t *testing.T) {
		p := s.approved("Allows").join("--deps", "allow")
		hash := s.changedApp("steady", map[string][2]string{"pyproject.toml": {plainDeps, strings.TrimSuffix(plainDeps, "]") + `, "packaging<20"]`}})
		s.launchWith(hash, "beside", map[string]string{"num-server-rounds": "1", "min-nodes": "1"}, nil)
		s.ends("beside", 2*time.Minute)
		var r told
		await(t, 10*time.Second, "the failure is told", func() (string, bool) {
			r = s.told("beside")
			return "", len(r.Failures) > 0
		})
		f := r.Failures[0]
		if len(r.Failures) != 1 || f.NodeID != s.node(p.partition).NodeID || f.Message != "could not install the app's packages: "+conflict+"." || f.Remedy == "" {
			t.Errorf("%+v", r.Failures)
		}
	})
}

// logLine is a line of a run's log as the API shows it.
func (s *server) logLine(r told, n int) string {
	s.t.Helper()
	var l struct{ Lines []struct{ Text string } }
	s.admin.must("GET", fmt.Sprintf("/runs/%s/log?from=%d&limit=1", r.Name, n), nil, &l)
	if len(l.Lines) == 0 {
		return ""
	}
	return l.Lines[0].Text
}
