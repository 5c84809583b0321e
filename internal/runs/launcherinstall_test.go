package runs_test

import (
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store/storetest"
)

// What uv says to the launcher, which resolves for an environment and so names the project; "n" is the app's name here.
func TestPackagesThatTheLauncherCannotInstallAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ log, message string }{
		"no such package": {"error: No solution found when resolving dependencies\ncause: Because nothing-such was not found in the package registry and n depends on nothing-such==1.0, we can conclude that your requirements are unsatisfiable.\n",
			"Installing nothing-such 1.0 failed: the package index has no such package (exit code 608)."},
		"no such version": {"error: No solution found when resolving dependencies\ncause: Because there is no version of iniconfig==999.1 and n depends on iniconfig==999.1, we can conclude that your requirements are unsatisfiable.\n",
			"Installing iniconfig 999.1 failed: no such version (exit code 608)."},
		"too new": {"error: No solution found when resolving dependencies\ncause: Because only iniconfig<=2.3.1 is available and n depends on iniconfig>999, we can conclude that your requirements are unsatisfiable.\n",
			"Installing iniconfig >999 failed: no such version; the package index has iniconfig <=2.3.1 (exit code 608)."},
		"a conflict": {"error: No solution found when resolving dependencies\ncause: Because flwr>=1.42.0 depends on packaging>=24.0,<26.0 and n depends on flwr==1.42.0, we can conclude that n depends on packaging>=24.0,<26.0.\nAnd because n depends on packaging<20, we can conclude that your requirements are unsatisfiable.\n",
			"Installing the app's packages failed: packaging >=24.0,<26.0 of flwr >=1.42.0 and packaging <20 of the app do not fit (exit code 608)."},
		"something new": {"error: uv has new words\n", "Installing the app's packages failed: The disk is full (exit code 608)."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			run := w.launch("r1")
			w.until(run.ID, isRunning)
			w.engine.ends(func(task *domain.Task) {
				task.ExitCode = 608
				_ = w.engine.log(task.EngineRunID, "Installing application dependencies\n"+c.log+"Installing application dependencies failed: The disk is full.\n")
			})
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Failed || got.Cause.Code != "608" || got.Cause.Message != c.message || got.Cause.Remedy == "" || got.Cause.Mend != "pyproject.toml" && !strings.Contains(name, "new") {
				t.Errorf("%+v, %v", got.Cause, err)
			}
		})
	}
}
