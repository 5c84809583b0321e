package e2e

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/testbrowser"
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

const plainDeps = `dependencies = ["flwr>=1.42,<1.43"]`

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
	// uv writes >= before the newest flwr that its index has.
	const conflict, butFor = "packaging >=24.0,<26.0 of flwr ", " and packaging <20 of the app do not fit"
	for name, c := range map[string]struct{ deps, message, line string }{
		"no-package": {`"surely-no-such-package-of-anyone==1.0"`, "Installing surely-no-such-package-of-anyone 1.0 failed: the package index has no such package", "was not found in the package registry"},
		"no-version": {`"iniconfig==999.1"`, "Installing iniconfig 999.1 failed: no such version (", "there is no version of iniconfig==999.1"},
		"too-new":    {`"iniconfig>999"`, "Installing iniconfig >999 failed: no such version; the package index has iniconfig <=", " depends on iniconfig>999"},
		"conflict":   {`"packaging<20"`, "Installing the app's packages failed: " + conflict, " depends on packaging<20"},
	} {
		t.Run(name, func(t *testing.T) {
			s.launchWith(s.needing(c.deps), name, nil, map[string]any{"install_dependencies": true})
			r := s.failedBy(name, "608", "ServerApp", c.message, 2*time.Minute)
			if strings.Contains(c.message, conflict) && !strings.Contains(r.Cause.Message, s.env.FlwrVersion+butFor) {
				t.Errorf("%s", r.Cause.Message)
			}
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
		if len(r.Failures) != 1 || f.NodeID != s.node(p.partition).NodeID || !strings.HasPrefix(f.Message, "could not install the app's packages: "+conflict) ||
			!strings.HasSuffix(f.Message, s.env.FlwrVersion+" and packaging <20 of fault-steady do not fit.") || f.Remedy == "" {
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

// Who sent an array of another shape than the others is named, as numpy's own error and what passed the Runtime proxy tell it.
func TestShapesThatDoNotFitAreNamed(t *testing.T) {
	s := start(t, 10)
	first, second, third := s.approved("First").join(), s.approved("Second").plain(), s.approved("Third").join()
	if first.partition != 0 || second.partition != 1 || third.partition != 2 {
		t.Fatalf("partitions %d, %d, %d", first.partition, second.partition, third.partition)
	}
	hash := s.app("misfit")
	for name, c := range map[string]struct {
		odd, how, rows       string
		where, message, line string
	}{
		"average": {"1", "average", "12", "Partition 1", "Aggregation failed in round 2: partition 1 sent layer.weight of shape (12, 64), 2 others (10, 64) (exit code 201).", "ValueError: operands could not be broadcast together with shapes "},
		"stack":   {"2", "stack", "12", "Partition 2", "Aggregation failed in round 2: partition 2 sent layer.weight of shape (12, 64), 2 others (10, 64) (exit code 201).", "ValueError: all input arrays must have the same shape"},
		"everybody": {"-1", "hold", "12", "ServerApp", "Aggregation failed in round 2: shapes (10, 64) and (12, 64) do not fit. All arrays that participants sent had the same shapes (3 replies), so it is what the ServerApp does with them (exit code 201).",
			"ValueError: operands could not be broadcast together with shapes "},
	} {
		t.Run(name, func(t *testing.T) {
			s.launchWith(hash, name, map[string]string{"odd-partition": c.odd, "how": c.how, "rows": c.rows, "min-nodes": "3"}, nil)
			r := s.failedBy(name, "201", c.where, c.message, 2*time.Minute)
			if r.Cause.ExitCode != 201 || !strings.Contains(r.Cause.Line, c.line) || !strings.Contains(s.logLine(r, r.Cause.LogLine), c.line) {
				t.Errorf("%+v; the log has %q", *r.Cause, s.logLine(r, r.Cause.LogLine))
			}
		})
	}
	s.browse(s.signIn(), visit{Name: "odd-shape", Path: "/f/fed/runs/average", Wait: []string{".b-live.is-ok", "#failure h2:has-text('partition 1 sent layer.weight of shape (12, 64), 2 others (10, 64)')"}})
}

// A key that the run config lacks: the card says where the app reads it and which file to change, and leads there. Flower itself takes
// no such key at a launch, so setting it there is no way out.
func TestAKeyThatTheRunConfigLacks(t *testing.T) {
	s := startWith(t, 10, freeAddr(t), flowerEngine)
	hash := s.app("raises")
	s.launchWith(hash, "lacks", nil, nil)
	r := s.failedBy("lacks", "201", "ServerApp", "The ServerApp raised KeyError 'lr', server_app.py:12 in main; the run config lacks it", time.Minute)
	if c := *r.Cause; c.File != "fault/server_app.py" || c.FileLine != 12 || c.Mend != "pyproject.toml" || !strings.Contains(c.Remedy, "Add lr with a default to [tool.flwr.app.config] in the app's pyproject.toml") {
		t.Errorf("%+v", c)
	}
	s.browse(s.signIn(), visit{Name: "lacking-key", Path: "/f/fed/runs/lacks", Wait: []string{".b-live.is-ok", "#failure a:text('pyproject.toml')"}})
	d := testbrowser.New(t)
	d.Do("admin", "cookie", s.url, s.signIn())
	d.Do("admin", "open", s.url+"/f/fed/runs/lacks", "")
	d.Do("admin", "click", "#failure a:text('fault/server_app.py:12')", "")
	if got := d.Do("admin", "read", ".b-src #L12", ""); !strings.Contains(got, `context.run_config["lr"]`) {
		t.Errorf("the line that the card leads to is %q", got)
	}
	d.Do("admin", "open", s.url+"/f/fed/runs/lacks", "")
	d.Do("admin", "click", "#failure a:text('pyproject.toml')", "")
	d.Do("admin", "wait", ".b-src code:has-text('[tool.flwr.app.config]')", "")

	var st struct{ Port int }
	dir := filepath.Join(s.data, "federations", "1")
	readJSON(t, filepath.Join(dir, "keeper.json"), &st)
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem")); err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the SuperLink's CA cannot be read")
	}
	fab, err := s.env.BuildFAB(t.Context(), filepath.Join(testflwr.Root(t), "e2e", "apps", "raises"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = wire.NewClient("127.0.0.1:"+itoa(st.Port), roots).StartRun(t.Context(), fab, map[string]any{"lr": 0.1})
	if domain.CodeOf(err) != domain.Invalid {
		t.Errorf("a key that the app's config lacks: Flower says %v", err)
	}
}

// What every participant failed of is the headline, by agents and by a plain SuperNode; what the ServerApp raised then is not.
func TestWhatEveryParticipantFailedOf(t *testing.T) {
	s := start(t, 10)
	first, second, third := s.approved("First").join(), s.approved("Second").join(), s.approved("Third").plain()
	if first.partition != 0 || second.partition != 1 || third.partition != 2 {
		t.Fatalf("partitions %d, %d, %d", first.partition, second.partition, third.partition)
	}
	hash := s.app("fails")
	for name, c := range map[string]struct{ how, spare, message, remedy string }{
		"key":    {"key", "-1", "All 3 participants raised KeyError 'age', client_app.py:13 in key, “return table[\"age\"]”.", "The ZeroDivisionError that the ServerApp raised afterwards is a consequence."},
		"array":  {"array", "-1", "All 3 participants raised ZeroDivisionError Weights sum to zero, can't be normalized, client_app.py:17 in array, “return float(np.average(np.zeros(3), weights=np.zeros(3)))”.", "Fix the app"},
		"file":   {"file", "-1", "All 3 participants raised FileNotFoundError [Errno …] No such file or directory: '…', client_app.py:21 in file", "Fix the app"},
		"hub":    {"hub", "-1", "All 3 participants failed to reach data.example.invalid: its name could not be resolved, client_app.py:25 in hub", "DNS"},
		"flower": {"flower", "-1", "All 3 participants failed to run the app: their Flower has no flwr.common.ndarrays_to_nothing, so the app is written for another Flower version, client_app.py:29 in flower", "Update the app"},
		"mixed":  {"mixed", "-1", "All 3 participants failed: partitions 0 and 2 raised KeyError 'age', client_app.py:13 in key", "Fix the app"},
		"most":   {"key", "1", "2 of 3 participants raised KeyError 'age', client_app.py:13 in key", "Fix the app"},
	} {
		t.Run(name, func(t *testing.T) {
			server := "mean"
			if name == "most" {
				server = "library"
			}
			s.launchWith(hash, name, map[string]string{"how": c.how, "spare": c.spare, "server": server, "min-nodes": "3"}, nil)
			r := s.failedBy(name, "participants", "ClientApps", c.message, 2*time.Minute)
			if !strings.Contains(r.Cause.Remedy, c.remedy) || len(r.Failures) < 2 {
				t.Errorf("%+v, %+v", *r.Cause, r.Failures)
			}
		})
	}
}

// An exception that a library or Flower raised leads to the app's own line, whatever it was chained or grouped with.
func TestTheServerAppsOwnLineIsNamed(t *testing.T) {
	s := start(t, 10)
	s.approved("Only").join()
	hash := s.app("fails")
	for how, c := range map[string]struct {
		code          domain.CauseCode
		message, file string
	}{
		"library": {"201", "The ServerApp raised ZeroDivisionError Weights sum to zero, can't be normalized, server_app.py:18 in library, “return float(np.average(losses, weights=np.zeros(len(losses))))” (exit code 201).", "fault/server_app.py"},
		"chained": {"201", "The ServerApp raised RuntimeError no table, server_app.py:25 in chained; its cause was KeyError 'age' (exit code 201).", "fault/server_app.py"},
		"group":   {"201", "The ServerApp raised ValueError first, server_app.py:29 in group, and 1 further exception in one ExceptionGroup (exit code 201).", "fault/server_app.py"},
		"hub":     {"network", "The server failed to reach data.example.invalid: its name could not be resolved, server_app.py:33 in hub", "fault/server_app.py"},
		"flower":  {"flower_version", "The app is written for another Flower version: flwr " + s.env.FlwrVersion + " has no flwr.server.strategy.fednothing, server_app.py:37 in flower; its pyproject.toml asks for flwr>=1.42,<1.43", "fault/server_app.py"},
	} {
		t.Run(how, func(t *testing.T) {
			s.launchWith(hash, how, map[string]string{"how": "key", "spare": "0", "server": how, "min-nodes": "1"}, nil)
			r := s.failedBy(how, c.code, "ServerApp", c.message, 2*time.Minute)
			if r.Cause.File != c.file || r.Cause.Line == "" || r.Cause.LogLine == 0 {
				t.Errorf("%+v", *r.Cause)
			}
		})
	}
}

// Secure aggregation says how many SuperNodes it needs while it waits, and when too few stayed.
func TestSecureAggregationNamesWhatItNeeds(t *testing.T) {
	onBothEngines(t, 10, secureAggregationNamesWhatItNeeds)
}

func secureAggregationNamesWhatItNeeds(t *testing.T, s *server) {
	s.approved("First").join()
	s.approved("Second").join()
	hash := s.app("secure")
	s.launchWith(hash, "few", nil, nil)
	r := s.waitsFor("few", "waits for 3 SuperNodes, 2 online", time.Minute)
	const needs = "Secure aggregation splits each key into 3 shares and needs 2 of them: of 3 SuperNodes, at least 2 must stay until the end of the round."
	if !strings.Contains(r.Waits.Helps, needs) || !strings.Contains(r.Waits.Helps, "This federation has 2 SuperNodes") {
		t.Errorf("%+v", *r.Waits)
	}
	third := s.approved("Third").join()
	s.becomes("few", "completed", 2*time.Minute)
	s.launchWith(hash, "halted", map[string]string{"leaves": itoa(third.partition), "reconstruction-threshold": "3", "num-shares": "4"}, nil)
	s.failedBy("halted", "201", "ServerApp", "Secure aggregation halted in round 1: too few SuperNodes stayed until its end (exit code 201).", 2*time.Minute)
	s.launchWith(hash, "waits", map[string]string{"pause": "25"}, nil)
	s.waitsFor("waits", "waits for 3 of 3 SuperNodes to train: partitions 0, 1 and 2", time.Minute)
	s.becomes("waits", "completed", 2*time.Minute)
}
