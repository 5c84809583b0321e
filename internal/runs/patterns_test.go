package runs_test

import (
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/store/storetest"
)

// uvSaid is how a ServerApp's log ends whose packages cannot be installed: flwr 1.41 with uv 0.12.24, as it was written by a real run,
// but for the directories. The end-to-end tests hold it to what uv says today.
func uvSaid(said string) string {
	text := `^[[91mERROR ^[[0m:     ServerApp raised an exception
Traceback (most recent call last):
  File "/data/python/lib/python3.11/site-packages/flwr/superlink/runtime/run_serverapp.py", line 177, in run_serverapp
    runtime_env_dir = install_app_dependencies(
                      ^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/data/python/lib/python3.11/site-packages/flwr/supercore/superexec/dependency_installer.py", line 158, in install_app_dependencies
    raise RuntimeDependencyInstallationError(f"uv sync failed: {sync_error}")
flwr.supercore.superexec.dependency_installer.RuntimeDependencyInstallationError: uv sync failed: exit code 1: warning: ` + "`VIRTUAL_ENV=/data/python` does not match the project environment path `/data/env` and will be ignored; use `--active` to target the active environment instead" + `
Using CPython 3.11.7 interpreter at: /data/python/bin/python
Creating virtual environment at: /data/env
` + said + `
^[[91mERROR ^[[0m:     Exit Code: 608

Runtime installation of app dependencies failed. Check the logs for details.

For more information, visit: <https://flower.ai/docs/framework/1.41/en/ref-exit-codes/608.html>
^[[92mINFO ^[[0m:      Task stopped by user.
`
	return strings.ReplaceAll(text, "^[", "\x1b")
}

// Packages that cannot be installed are named with the versions that were asked for, and who asked.
func TestPackagesThatCannotBeInstalledAreNamed(t *testing.T) {
	const unsolved = "warning: No `requires-python` value found in the workspace. Defaulting to `>=3.11`.\nerror: No solution found when resolving dependencies\n  cause: "
	const end = ", we can conclude that your project's requirements are unsatisfiable."
	for name, c := range map[string]struct{ said, message, line string }{
		"no package": {unsolved + "Because surely-no-such-package was not found in the package registry and your project depends on surely-no-such-package==1.0" + end,
			"Installing surely-no-such-package 1.0 failed: the package index has no such package", "Because surely-no-such-package was not found"},
		"no version": {unsolved + "Because there is no version of iniconfig==999.1 and your project depends on iniconfig==999.1" + end,
			"Installing iniconfig 999.1 failed: no such version (", "Because there is no version"},
		"too new": {unsolved + "Because only iniconfig<=2.3.1 is available and your project depends on iniconfig>999" + end,
			"Installing iniconfig >999 failed: no such version; the package index has iniconfig <=2.3.1 (", "Because only"},
		"no wheel": {unsolved + "Because tensorflow==2.5.0 has no wheels with a matching Python version tag (e.g., `cp311`) and your project depends on tensorflow==2.5.0" + end +
			"\nhint: Wheels are available for `tensorflow` (v2.5.0) with the following Python ABI tags: `cp36m`, `cp37m`, `cp38`, `cp39`",
			"Installing tensorflow 2.5.0 failed: there is no build of it for this Python or machine (", "Because tensorflow==2.5.0 has no wheels"},
		"conflict": {unsolved + "Because flwr==1.41.0 depends on packaging>=24.0,<26.0 and your project depends on flwr>=1.41,<1.42, we can conclude that your project depends on packaging>=24.0,<26.0.\n" +
			"         And because your project depends on packaging<20" + end,
			"Installing the app's packages failed: packaging >=24.0,<26.0 of flwr 1.41.0 and packaging <20 of the app do not fit (", "And because your project depends on packaging<20"},
		"conflict with a range": {unsolved + "Because flwr>=1.42.0 depends on packaging>=24.0,<26.0 and your project depends on flwr>=1.42, we can conclude that your project depends on packaging>=24.0,<26.0.\n" +
			"         And because your project depends on packaging<20" + end,
			"Installing the app's packages failed: packaging >=24.0,<26.0 of flwr >=1.42.0 and packaging <20 of the app do not fit (", "And because your project depends on packaging<20"},
		"conflict by markers": {"error: No solution found when resolving dependencies for split (markers: python_full_version >= '3.12')\n  cause: Because pandas==2.2.3 depends on numpy{python_full_version >= '3.12'}>=1.26.0 and your project depends on numpy<1.20, we can conclude that your project and pandas==2.2.3 are incompatible.\n" +
			"         And because your project depends on pandas==2.2.3" + end,
			"Installing the app's packages failed: numpy >=1.26.0 of pandas 2.2.3 and numpy <1.20 of the app do not fit (", "And because your project depends on pandas"},
		"conflict by extras": {unsolved + "Because datasets==3.0.0 depends on fsspec[http]>=2023.1.0,<=2024.6.1 and your project depends on datasets==3.0.0, we can conclude that your project depends on fsspec>=2023.1.0,<=2024.6.1.\n" +
			"         And because your project depends on fsspec==2021.4.0" + end,
			"Installing the app's packages failed: fsspec >=2023.1.0,<=2024.6.1 of datasets 3.0.0 and fsspec 2021.4.0 of the app do not fit (", "And because your project depends on fsspec"},
		"no index": {"error: Request failed after 3 retries in 9.1s\n  cause: Failed to fetch: https://packages.example.org/simple/iniconfig/\n  cause: error sending request for url (https://packages.example.org/simple/iniconfig/)\n  cause: client error (Connect)\n  cause: tcp connect error\n  cause: Connection refused (os error 111)",
			"The package index was not reached: https://packages.example.org/simple/iniconfig/, Connection refused (os error 111) (", "Failed to fetch"},
		"another Python": {"error: The requested interpreter resolved to Python 3.11.7, which is incompatible with the project's Python requirement: `>=3.13` (from `project.requires-python`)",
			"The app needs Python >=3.13; this environment has 3.11.7 (", "The requested interpreter"},
		"a source that does not build": {"error: Failed to build `fault-x @ file:///data/app`\n  cause: The build backend returned an error", "Installing fault-x failed: its source could not be built here (", "Failed to build"},
		"something else":               {"error: words of a later uv", "Installing the app's packages failed (", "RuntimeDependencyInstallationError"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			run := w.running(domain.Limits{})
			w.engine.exit(608, uvSaid(c.said))
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.Cause.Code != "608" || !strings.HasPrefix(got.Cause.Message, c.message) || !strings.HasSuffix(got.Cause.Message, "(exit code 608).") || !strings.Contains(got.Cause.Line, c.line) || got.Cause.Remedy == "" {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
			if lines, _, err := w.server.Log(t.Context(), got, got.Cause.LogLine, 1); err != nil || len(lines) != 1 || !strings.Contains(lines[0].Text, c.line) {
				t.Errorf("line %d is %v, %v", got.Cause.LogLine, lines, err)
			}
		})
	}
}

// Known failures are said with the key, package or participant that they are about, and with what to do.
func TestKnownFailuresAreSaidInFull(t *testing.T) {
	const traceback = "Traceback (most recent call last):\n  File \"/x/server_app.py\", line 41, in main\n"
	for name, c := range map[string]struct {
		output, message, remedy string
		sent                    map[uint64][]string
	}{
		"a key that is no config": {traceback + "KeyError: 'lr'\n", "The ServerApp raised KeyError 'lr', server_app.py:41 in main; the run config lacks it", "Add lr with a default to [tool.flwr.app.config]", nil},
		"a key of the config":     {traceback + "KeyError: 'num-server-rounds'\n", "The ServerApp raised KeyError 'num-server-rounds', server_app.py:41", "", nil},
		"nobody's weight": {"flwr.serverapp.exception.InconsistentMessageReplies: Missing required key `num-examples` in the MetricRecord of reply messages. Cannot average\n",
			"Replies cannot be averaged: no participant sent num-examples", "Return it in train", map[uint64][]string{101: {"loss"}, 102: {"loss"}, 103: {"loss"}}},
		"one's weight": {"flwr.serverapp.exception.InconsistentMessageReplies: All MetricRecords must have the same keys for aggregation. This condition wasn't met.\n",
			"Replies cannot be averaged: partition 2 sent no num-examples", "Return it in train", map[uint64][]string{101: {"loss", "num-examples"}, 102: {"loss", "num-examples"}, 103: {"loss"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.nodes(3)
			run := w.running(domain.Limits{})
			var o domain.Observation
			for node, names := range c.sent {
				for _, n := range names {
					o.Metrics = append(o.Metrics, domain.Metric{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: 1, Phase: domain.PhaseTrain, NodeID: node, Name: n, Value: 1, At: time.Now()})
				}
			}
			if err := w.db.Record(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			w.engine.exit(1, c.output)
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Failed || !strings.HasPrefix(got.Cause.Message, c.message) || !strings.Contains(got.Cause.Remedy, c.remedy) || got.Cause.LogLine == 0 {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
			if name == "a key of the config" && strings.Contains(got.Cause.Message, "lacks it") {
				t.Errorf("the config has the key: %s", got.Cause.Message)
			}
		})
	}
}

// A ServerApp that has told how it ended is let end by itself, and its own words are the cause; one that hangs then is ended.
func TestAServerAppThatHasFailedIsLetEnd(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for name, hangs := range map[string]bool{"ends": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			run, err := w.server.Launch(t.Context(), domain.System, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: name})
			if err != nil {
				t.Fatal(err)
			}
			w.until(run.ID, isRunning)
			if run, err = w.server.Get(t.Context(), run.ID); err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			w.at(now)
			w.engine.fails(run.EngineRunID, now)
			for range 3 {
				w.step()
			}
			if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Running {
				t.Fatalf("before its process has ended it is %s %+v, %v", got.State, got.Cause, err)
			}
			if hangs {
				if err := w.engine.log(run.EngineRunID, uvSaid("error: none")); err != nil {
					t.Fatal(err)
				}
				w.at(now.Add(16 * time.Second))
			} else {
				w.engine.exit(608, uvSaid("error: none"))
			}
			w.until(run.ID, hasEnded)
			if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Failed || got.Cause.Code != "608" || got.Cause.ExitCode != 608 {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
		})
	}
}

// Whose arrays have other shapes than the others' is named by what the Runtime proxy saw; where it saw nothing, that is said. The
// exceptions are numpy 2's and torch 2's own.
func TestWhoseShapesDoNotFitIsNamed(t *testing.T) {
	const traceback = "[ROUND 2/3]\nTraceback (most recent call last):\n  File \"/x/server_app.py\", line 41, in main\n"
	const broadcast = traceback + "ValueError: operands could not be broadcast together with shapes (10,64) (12,64) (10,64) \n"
	const load = traceback + "RuntimeError: Error(s) in loading state_dict for Sequential:\n\tsize mismatch for 0.weight: copying a param with shape torch.Size([12, 64]) from checkpoint, the shape in current model is torch.Size([10, 64]).\n" +
		"\tsize mismatch for 0.bias: copying a param with shape torch.Size([12]) from checkpoint, the shape in current model is torch.Size([10]).\n"
	sent := func(array string, shapes ...domain.SentShape) *domain.Shapes {
		other := domain.Misfit{Array: "bias", Sent: []domain.SentShape{{Shape: "(10)", Count: 1, Nodes: []uint64{101}}, {Shape: "(12)", Count: 1, Nodes: []uint64{102}}}}
		return &domain.Shapes{Round: 2, Replies: 3, Differ: []domain.Misfit{other, {Array: array, Sent: shapes}}}
	}
	usual := domain.SentShape{Shape: "(10, 64)", Count: 2, Nodes: []uint64{101, 103}}
	odd := domain.SentShape{Shape: "(12, 64)", Count: 1, Nodes: []uint64{102}}
	for name, c := range map[string]struct {
		output                 string
		shapes                 *domain.Shapes
		where, message, remedy string
	}{
		"one":       {broadcast, sent("w", usual, odd), "Partition 1", "Aggregation failed in round 2: partition 1 sent w of shape (12, 64), 2 others (10, 64)", "the data of partition 1"},
		"of two":    {broadcast, sent("w", domain.SentShape{Shape: "(10, 64)", Count: 1, Nodes: []uint64{103}}, odd), "ServerApp", "Aggregation failed in round 2: partition 1 sent w of shape (12, 64), partition 2 (10, 64)", "Every participant"},
		"several":   {broadcast, sent("w", usual, odd, domain.SentShape{Count: 1, Nodes: []uint64{999}}), "ServerApp", "Aggregation failed in round 2: partition 1 sent w of shape (12, 64), 1 SuperNode none, 2 others (10, 64)", "Every participant"},
		"no shapes": {traceback + "ValueError: all input arrays must have the same shape\n", sent("w", usual, odd), "ServerApp", "Aggregation failed in round 2: partition 1 sent bias of shape (12), partition 0 (10)", "Every participant"},
		"output": {traceback + "ValueError: non-broadcastable output operand with shape (10,64) doesn't match the broadcast shape (12,64)\n", sent("w", usual, odd),
			"Partition 1", "Aggregation failed in round 2: partition 1 sent w of shape (12, 64), 2 others (10, 64)", "the data of partition 1"},
		"torch": {load, sent("0.weight", domain.SentShape{Shape: "(10, 64)", Count: 2}, odd), "Partition 1", "Loading arrays into the ServerApp's model failed in round 2: partition 1 sent 0.weight of shape (12, 64), 2 others (10, 64)", "the data of partition 1"},
		"torch, all the same": {load, &domain.Shapes{Replies: 3}, "ServerApp",
			"Loading arrays into the ServerApp's model failed in round 2: 0.weight has shape (12, 64), the model's has (10, 64). All arrays that participants sent had the same shapes (3 replies)", "Make the ServerApp's model"},
		"not seen":   {broadcast, nil, "ServerApp", "Aggregation failed in round 2: shapes (10, 64) and (12, 64) do not fit. Which participant sent which is not known: no reply", "Every participant"},
		"not read":   {broadcast, &domain.Shapes{Replies: 1, Unread: 2}, "ServerApp", "Aggregation failed in round 2: shapes (10, 64) and (12, 64) do not fit. Which participant sent which is not known: 2 replies had more", "Every participant"},
		"some other": {broadcast, &domain.Shapes{Replies: 2, Differ: sent("w").Differ[:1]}, "ServerApp", "Aggregation failed in round 2: shapes (10, 64) and (12, 64) do not fit. No participant sent arrays of just these shapes, but the replies differ: partition 1 sent bias", "Every participant"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.nodes(3)
			run := w.running(domain.Limits{})
			w.engine.describe(run.EngineRunID, c.shapes)
			w.engine.exit(1, c.output)
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.Cause.Where != c.where || !strings.HasPrefix(got.Cause.Message, c.message) || !strings.Contains(got.Cause.Remedy, c.remedy) || got.Cause.LogLine == 0 {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
		})
	}
}
