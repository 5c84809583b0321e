package agent

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/client"
	"blossomtune/internal/flower/wire"
)

// bundle returns an app's bytes; its ClientApp replies to nothing, as no test here gives it a real message.
func bundle(t *testing.T, more string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	content := ""
	for _, f := range [][2]string{
		{"echo/app.py", "app = None\n" + more},
		{"pyproject.toml", "[project]\nname = \"echo\"\nversion = \"1.0.0\"\ndependencies = [\"flwr>=1.42\"]\n[tool.flwr.app]\npublisher = \"blossomtune\"\n[tool.flwr.app.components]\nserverapp = \"echo.app:server\"\nclientapp = \"echo.app:app\"\n"},
	} {
		add(f[0], f[1])
		content += fmt.Sprintf("%s,%x,%d\n", f[0], sha256.Sum256([]byte(f[1])), 8*len(f[1]))
	}
	add(".info/CONTENT", strings.TrimSuffix(content, "\n"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	notYet    = "The participant has not approved this app version yet."
	unwritten = "The participant's SuperNode could not record what would leave the machine, so it sent nothing."
)

func byRule(r approval.Rule) string {
	return "The participant's rules do not allow this: " + string(r) + "."
}

// A version waits, is answered with its cause at once, is reported, and runs after the owner has approved it.
func TestAVersionRunsAfterItsApproval(t *testing.T) {
	fab := bundle(t, "")
	l := newLiar(t, fab)
	m := newMachine(t, l, approval.Ask)
	m.start()
	if got := l.ask(); got != notYet {
		t.Errorf("before the approval: %q", got)
	}
	l.until("the server is told that it waits", func() bool {
		return len(l.reported) > 0 && l.reported[0] == client.AppDecision{Hash: wire.ObjectID(fab), State: "waiting", Rule: "approval"} &&
			l.report.Approve == "ask" && l.report.LedgerN > 0
	})
	if m.started() {
		t.Fatal("the app ran")
	}
	if _, err := m.here().FindApp(wire.ObjectID(fab)[:8]); err == nil {
		t.Error("eight digits name a version")
	}
	m.approve(fab)
	if got := l.ask(); got == notYet || strings.Contains(got, "rule") {
		t.Errorf("after the approval: %q", got)
	}
	if !m.started() {
		t.Error("the app did not run")
	}
	var kinds []ledger.What
	if _, err := ledger.Check(string(m.h), func(e ledger.Entry) error {
		kinds = append(kinds, e.What)
		if e.RunName != "digits-1" && e.N > 2 || e.Federation != "cardio" {
			t.Errorf("entry %d: run %q, federation %q", e.N, e.RunName, e.Federation)
		}
		return nil
	}); err != nil || len(kinds) < 4 || kinds[0] != ledger.Failed || kinds[1] != ledger.Sent {
		t.Errorf("the ledger has %v, %v", kinds, err)
	}
}

// What a server that lies, or somebody who can write the agent's files, may try: each is refused or found, and the rule is named.
func TestAttacksOnApprovalAndLedger(t *testing.T) {
	type attack struct {
		do     func(t *testing.T, m *machine, fab []byte) // before the agent starts again
		want   string                                     // the error reply
		rule   string                                     // as the owner is told
		begins bool                                       // false: the agent does not start
	}
	edit := func(name string, do func([]byte) []byte) func(*testing.T, *machine, []byte) {
		return func(t *testing.T, m *machine, _ []byte) {
			text, err := os.ReadFile(m.h.file(name))
			if err != nil {
				t.Fatal(err)
			}
			m.write(name, string(do(text)), 0o600)
		}
	}
	lines := func(b []byte) [][]byte { return bytes.SplitAfter(b, []byte("\n")) }
	for name, a := range map[string]attack{
		"a changed app under the same name and version": {func(t *testing.T, m *machine, _ []byte) { m.l.offer(bundle(t, "import os\n")) }, notYet, "approval", true},
		"other bytes for the approved hash": {func(t *testing.T, m *machine, fab []byte) {
			m.l.mu.Lock()
			defer m.l.mu.Unlock()
			m.l.fabs[wire.ObjectID(fab)] = bundle(t, "import os\n")
			_ = os.RemoveAll(filepath.Join(m.h.superNode(), "fabs"))
		}, "The app that arrived does not have the SHA-256 that the run names. It was not started.", "", true},
		"an app whose bytes on this disk were exchanged": {func(t *testing.T, m *machine, fab []byte) {
			m.l.mu.Lock()
			defer m.l.mu.Unlock()
			evil := bundle(t, "import os\n")
			m.l.fabs[wire.ObjectID(fab)] = evil
			m.write(filepath.Join("supernode", "fabs", wire.ObjectID(fab)+".fab"), string(evil), 0o600)
		}, "The app that arrived does not have the SHA-256 that the run names. It was not started.", "", true},
		"an approval with other packages": {func(t *testing.T, m *machine, fab []byte) {
			store, err := m.h.approvals(m.here().st)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Decide(approval.Decision{FAB: wire.ObjectID(fab), Deps: strings.Repeat("0", 64), State: approval.Approved}); err != nil {
				t.Fatal(err)
			}
		}, byRule(approval.RuleDependencies), "dependencies", true},
		"approvals of another machine": {func(t *testing.T, m *machine, fab []byte) {
			other := newMachine(t, m.l, approval.Ask)
			store, err := other.h.approvals(other.here().st)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Decide(approval.Decision{FAB: wire.ObjectID(fab), State: approval.Approved}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(other.h.file("approvals.json"))
			if err != nil {
				t.Fatal(err)
			}
			m.write("approvals.json", string(text), 0o600)
		}, byRule(approval.RuleSignature), "signature", true},
		"approvals of another federation": {func(t *testing.T, m *machine, fab []byte) {
			key, err := loadKey(m.h.keyFile("token"))
			if err != nil {
				t.Fatal(err)
			}
			store, err := approval.New(t.TempDir(), m.here().st.host(), "neuro", key)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Decide(approval.Decision{FAB: wire.ObjectID(fab), State: approval.Approved}); err != nil {
				t.Fatal(err)
			}
			other, err := approval.New(string(m.h), m.here().st.host(), "neuro", key)
			if err == nil {
				_ = os.Remove(m.h.file("approvals.json"))
				err = other.Decide(approval.Decision{FAB: wire.ObjectID(fab), State: approval.Approved})
			}
			if err != nil {
				t.Fatal(err)
			}
		}, byRule(approval.RuleSignature), "signature", true},
		"an edited approval":          {edit("approvals.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"deps":"`), []byte(`"deps":"0`), 1) }), byRule(approval.RuleSignature), "signature", true},
		"rules that others can write": {func(_ *testing.T, m *machine, _ []byte) { m.write(approval.RulesFile, "approve = \"any\"\n", 0o666) }, byRule(approval.RuleMode), "mode", true},
		"a server that calls the federation a trusted one": {func(_ *testing.T, m *machine, _ []byte) {
			m.write(approval.RulesFile, "federations = [\"trusted\"]\n", 0o600)
		}, byRule(approval.RuleFederation), "federation", true},
		"a server that names a listed publisher for another's app": {func(_ *testing.T, m *machine, _ []byte) {
			m.l.mu.Lock()
			defer m.l.mu.Unlock()
			m.l.run.FabId = "north/echo"
			m.write(approval.RulesFile, "publishers = [\"north\"]\n", 0o600)
		}, byRule(approval.RulePublisher), "publisher", true},
		"a clock that was turned back into the allowed hours": {func(_ *testing.T, m *machine, _ []byte) {
			hour := time.Now().Add(-3 * time.Hour)
			m.write(approval.RulesFile, "hours = \""+hour.Add(-time.Hour).Format("15:04")+"-"+hour.Add(time.Hour).Format("15:04")+"\"\n", 0o600)
			m.now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
		}, byRule(approval.RuleClock), "clock", true},
		"an edited line":   {edit("ledger.jsonl", func(b []byte) []byte { return bytes.Replace(b, []byte(`"round":"1"`), []byte(`"round":"2"`), 1) }), "", "line", false},
		"a removed line":   {edit("ledger.jsonl", func(b []byte) []byte { return bytes.Join(lines(b)[1:], nil) }), "", "order", false},
		"a truncated tail": {edit("ledger.jsonl", func(b []byte) []byte { l := lines(b); return bytes.Join(l[:len(l)-2], nil) }), "", "tail", false},
		"a removed ledger": {func(t *testing.T, m *machine, _ []byte) {
			if err := os.Remove(m.h.file("ledger.jsonl")); err != nil {
				t.Fatal(err)
			}
		}, "", "tail", false},
	} {
		t.Run(name, func(t *testing.T) {
			fab := bundle(t, "")
			l := newLiar(t, fab)
			m := newMachine(t, l, approval.Ask)
			stop := m.start()
			if got := l.ask(); got != notYet { // it waits, and the ledger has entries
				t.Fatalf("before: %q", got)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			m.approve(fab)
			a.do(t, m, fab)
			if !a.begins {
				n, err := m.node()
				if err == nil {
					err = n.keep(t.Context())
				}
				if err == nil || !strings.Contains(err.Error(), "rule \""+a.rule+"\"") {
					t.Errorf("the agent ends with %v, want the rule %q", err, a.rule)
				}
				return
			}
			m.start()
			if got := l.ask(); got != a.want {
				t.Errorf("the reply says %q, want %q", got, a.want)
			}
			if a.rule != "" && !strings.Contains(m.said.String(), "rule \""+a.rule+"\"") {
				t.Errorf("the owner is not told of the rule %q", a.rule)
			}
			if m.started() {
				t.Error("the app ran")
			}
		})
	}
}

// A ledger that another program changes while the agent runs keeps everything here but the word of it.
func TestNothingLeavesUnrecorded(t *testing.T) {
	fab := bundle(t, "")
	l := newLiar(t, fab)
	m := newMachine(t, l, approval.Ask)
	m.start()
	if got := l.ask(); got != notYet {
		t.Fatalf("before: %q", got)
	}
	whole, err := os.ReadFile(m.h.file("ledger.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	m.write("ledger.jsonl", string(whole[:len(whole)-100]), 0o600)
	if got := l.ask(); got != unwritten {
		t.Errorf("%q", got)
	}
}
