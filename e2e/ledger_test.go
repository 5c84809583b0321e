package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/agent/ledger"
)

type ledgerRun struct {
	app    string
	config map[string]string
}

// ledgerRuns are runs of ten apps: of the new and the old API, with a loop of the app's own, queries, secure aggregation, arrays of several
// chunks, many metrics, and ClientApps that fail.
var ledgerRuns = []ledgerRun{
	{"steady", map[string]string{"num-server-rounds": "2", "pause": "0"}},
	{"old_api", nil},
	{"one_fails", map[string]string{"num-server-rounds": "2", "pause": "0"}},
	{"asks", nil},
	{"measures", map[string]string{"num_rounds": "2"}},
	{"secure", nil},
	{"floods", map[string]string{"metrics": "2000"}},
	{"endings", map[string]string{"how": "raise", "megabytes": "12", "returns": "true"}},
	{"misfit", nil},
	{bundled, map[string]string{"num-server-rounds": "2"}},
}

// bundled stands for apps/quickstart_digits.
const bundled = "bundled"

// What each participant's own ledger says of a run is what the gateway counted, to the byte, and agrees with the run's signed receipt.
func TestLedgersAndReceiptsAgree(t *testing.T) {
	t.Parallel()
	for engine, all := range map[string][]ledgerRun{builtinEngine: ledgerRuns, flowerEngine: ledgerRuns[:3]} {
		_, name, _ := strings.Cut(engine, "=")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledgersAndReceiptsAgree(t, startWith(t, 10, freeAddr(t), engine), all)
		})
	}
}

func ledgersAndReceiptsAgree(t *testing.T, s *server, all []ledgerRun) {
	people := []*person{s.approved("One").join(), s.approved("Two").join(), s.approved("Three").join()}
	s.admin.must("PATCH", "/federations/fed/run-policy", map[string]int{"parallel": 2}, nil)
	var runs []runView
	for _, l := range all {
		if l.app != bundled {
			runs = append(runs, s.launch(s.app(l.app), l.config))
			continue
		}
		var a struct{ Hash string }
		s.admin.must("POST", "/apps?filename=digits.fab", digitsFAB(t), &a)
		runs = append(runs, s.launch(a.Hash, l.config))
	}
	for i, l := range all {
		r := s.ends(runs[i].Name, 2*time.Minute)
		file := s.receiptFile(r)
		for _, p := range people {
			dir := filepath.Join(p.home, "agent")
			node := s.node(p.partition).NodeID
			await(t, 20*time.Second, l.app+": the bytes of "+p.name, func() (string, bool) {
				told, counted := ledgerBytes(t, dir, r.Name), s.counted(r, node)
				return strconv.FormatInt(told, 10) + " in the ledger, " + strconv.FormatInt(counted, 10) + " counted", told == counted && told > 0
			})
			if out, code := verifyLedger(t, dir, file); code != 0 || !strings.Contains(out, "agree") ||
				!strings.Contains(out, "confirms the ledger's entries up to") {
				t.Errorf("%s, %s: exit code %d: %s", l.app, p.name, code, out)
			}
		}
		if out, code := verifyLedger(t, filepath.Join(people[0].home, "agent"), flipped(t, file, t.TempDir())); code != 3 {
			t.Errorf("%s: a flipped byte of the receipt: exit code %d: %s", l.app, code, out)
		}
	}
	agentDir := filepath.Join(people[0].home, "agent")
	copied := t.TempDir()
	for _, f := range []string{"state.json", "ledger.head", "key_" + tokenOf(t, agentDir)} {
		b, err := os.ReadFile(filepath.Join(agentDir, f))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, f), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	flipped(t, filepath.Join(agentDir, "ledger.jsonl"), copied)
	if out, code := run(t, "ledger", "--dir", copied); code != 6 || !strings.Contains(out, "rule") {
		t.Errorf("a flipped byte of the ledger: exit code %d: %s", code, out)
	}
	if out, code := run(t, "status", "--dir", agentDir); code != 0 || !strings.Contains(out, "connected since") {
		t.Errorf("status: exit code %d: %s", code, out)
	}
}

// flipped copies a file into a folder with one bit changed in its middle, and returns the copy's path.
func flipped(t *testing.T, path, dir string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	out := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(out, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

func tokenOf(t *testing.T, dir string) string {
	t.Helper()
	var st struct {
		TokenID string `json:"token_id"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	if err != nil {
		t.Fatal(err)
	}
	return st.TokenID
}

func run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(bin(t), args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func verifyLedger(t *testing.T, dir, receipt string) (string, int) {
	t.Helper()
	return run(t, "ledger", "--dir", dir, "--verify", receipt)
}

// ledgerBytes is what a ledger says that a run sent.
func ledgerBytes(t *testing.T, dir, run string) (n int64) {
	t.Helper()
	all, err := ledger.Runs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.RunName == run {
			n += r.Bytes
		}
	}
	return n
}

// counted is what the gateway counted of a SuperNode in a run.
func (s *server) counted(r runView, node string) int64 {
	s.t.Helper()
	var all []struct {
		NodeID string `json:"node_id"`
		Up     int64  `json:"up"`
	}
	s.admin.must("GET", "/runs/"+r.Name+"/traffic", nil, &all)
	for _, t := range all {
		if t.NodeID == node {
			return t.Up
		}
	}
	return 0
}

// receiptFile waits for a run's receipt and keeps it in a file.
func (s *server) receiptFile(r runView) string {
	s.t.Helper()
	var text json.RawMessage
	await(s.t, 30*time.Second, "the receipt of "+r.Name, func() (string, bool) {
		err := s.admin.try("GET", "/runs/"+r.Name+"/receipt", nil, &text)
		if err != nil {
			return err.Error(), false
		}
		return "", true
	})
	path := filepath.Join(s.t.TempDir(), "receipt.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}
