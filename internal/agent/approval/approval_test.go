package approval_test

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
)

// fab returns an app's bytes; more is added to its pyproject.toml.
func fab(t *testing.T, publisher, more string, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	files = append([]string{"pyproject.toml", "[project]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"flwr>=1.41\"" + more + "]\n[tool.flwr.app]\npublisher = \"" + publisher + "\"\n"}, files...)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

type fixture struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	gate approval.Gate
	fab  []byte
	v    approval.Version
	now  time.Time
	last time.Time
	run  approval.Run
}

func newFixture(t *testing.T, p approval.Policy) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), key: newKey(t), fab: fab(t, "north", ""), now: time.Date(2026, 11, 29, 22, 0, 0, 0, time.UTC), run: approval.Run{Federation: "cardio"}}
	store, err := approval.New(f.dir, "fl.example.org", "cardio", f.key)
	if err != nil {
		t.Fatal(err)
	}
	f.gate = approval.Gate{Store: store, Rules: []string{filepath.Join(f.dir, "rules.toml")}, Policy: p}
	if f.v, err = approval.Read(f.fab, false); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) decide(state approval.State) {
	f.t.Helper()
	if err := f.gate.Store.Decide(approval.Decision{FAB: f.v.FAB, Deps: f.v.Deps, State: state, App: f.v.App, Version: f.v.Version, At: f.now}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) write(text string, mode os.FileMode) {
	f.t.Helper()
	err := os.WriteFile(f.gate.Rules[0], []byte(text), 0o600)
	if err == nil {
		err = os.Chmod(f.gate.Rules[0], mode)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// rule returns the rule that keeps the fixture's app from running; empty where it runs.
func (f *fixture) rule() approval.Rule {
	f.t.Helper()
	_, err := f.gate.Allow(f.fab, f.v.FAB, false, f.run, f.now, f.last)
	return ruleOf(f.t, err)
}

func ruleOf(t *testing.T, err error) approval.Rule {
	t.Helper()
	if err == nil {
		return ""
	}
	r, ok := approval.IsRefusal(err)
	if !ok {
		t.Fatal(err)
	}
	return r.Rule
}

func (f *fixture) want(what string, want approval.Rule) {
	f.t.Helper()
	if got := f.rule(); got != want {
		f.t.Errorf("%s: the rule %q, want %q", what, got, want)
	}
}

func TestTheOwnerDecides(t *testing.T) {
	f := newFixture(t, approval.Any)
	f.want("any", "")
	f.gate.Policy = approval.Listed
	f.want("listed, not in the rules", approval.RuleListed)
	f.gate.Policy = approval.Ask
	f.want("ask, before the decision", approval.RuleApproval)
	f.decide(approval.Approved)
	f.want("approved", "")
	f.decide(approval.Rejected)
	f.want("rejected", approval.RuleRejected)
	f.gate.Policy = approval.Any
	f.want("rejected, with any", approval.RuleRejected)
}

func TestRulesOfTheOwner(t *testing.T) {
	for text, want := range map[string]approval.Rule{
		``:                                   "",
		`approve = "ask"`:                    approval.RuleApproval,
		`approve = "listed"`:                 approval.RuleListed,
		`publishers = ["north"]`:             "",
		`publishers = ["south"]`:             approval.RulePublisher,
		`federations = ["neuro"]`:            approval.RuleFederation,
		`launched-by = ["anna@example.org"]`: approval.RuleLaunchedBy,
		`hours = "20:00-06:00"`:              "",
		`hours = "06:00-20:00"`:              approval.RuleHours,
		`dependencies = false`:               "",
		`hours = "8 to 5"`:                   approval.RuleRules,
		`publisher = ["north"]`:              approval.RuleRules,
		`publishers = `:                      approval.RuleRules,
		`max-bytes-per-round = "many"`:       approval.RuleRules,
		"approve = \"listed\"\npublishers = [\"north\"]": "",
	} {
		f := newFixture(t, approval.Any)
		f.write(text, 0o600)
		f.want(text, want)
	}
}

func TestDependenciesThatTheRulesForbid(t *testing.T) {
	f := newFixture(t, approval.Any)
	f.fab = fab(t, "north", `, "six==1.16.0"`)
	f.v, _ = approval.Read(f.fab, false)
	f.write("dependencies = false", 0o600)
	f.want("an app that needs six", approval.RuleDependencies)
}

// What a server, or somebody who can write files here, may try.
func TestNothingElseApproves(t *testing.T) {
	approved := func(t *testing.T) *fixture {
		f := newFixture(t, approval.Ask)
		f.decide(approval.Approved)
		return f
	}
	t.Run("other bytes under the same name", func(t *testing.T) {
		f := approved(t)
		f.fab = fab(t, "north", "", "app.py", "evil")
		f.want("with the old hash", approval.RuleHash)
		v, _ := approval.Read(f.fab, false)
		f.v.FAB = v.FAB
		f.want("with its own hash", approval.RuleApproval)
	})
	t.Run("packages that were not approved", func(t *testing.T) {
		f := approved(t)
		_, err := f.gate.Allow(f.fab, f.v.FAB, true, f.run, f.now, f.last) // it may install packages now
		if got := ruleOf(t, err); got != approval.RuleDependencies {
			t.Errorf("the rule %q", got)
		}
	})
	t.Run("packages exchanged after the first run", func(t *testing.T) {
		f := approved(t)
		if err := f.gate.Packages(f.v.FAB, strings.Repeat("a", 64)); err != nil {
			t.Fatal(err)
		}
		if got := ruleOf(t, f.gate.Packages(f.v.FAB, strings.Repeat("a", 64))); got != "" {
			t.Errorf("the same packages: the rule %q", got)
		}
		if got := ruleOf(t, f.gate.Packages(f.v.FAB, strings.Repeat("b", 64))); got != approval.RulePackages {
			t.Errorf("the rule %q", got)
		}
	})
	t.Run("approvals of another machine", func(t *testing.T) {
		f, other := newFixture(t, approval.Ask), approved(t)
		copyFile(t, other.dir, f.dir)
		f.want("copied", approval.RuleSignature)
	})
	t.Run("approvals of another federation, with the same key", func(t *testing.T) {
		f := newFixture(t, approval.Ask)
		other, err := approval.New(f.dir, "fl.example.org", "neuro", f.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Decide(approval.Decision{FAB: f.v.FAB, Deps: f.v.Deps, State: approval.Approved}); err != nil {
			t.Fatal(err)
		}
		f.want("copied", approval.RuleSignature)
		path := filepath.Join(f.dir, "approvals.json")
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(text, []byte("neuro"), []byte("cardio")), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.want("copied, with the name edited", approval.RuleSignature)
	})
	t.Run("edited approvals", func(t *testing.T) {
		f := newFixture(t, approval.Ask)
		f.decide(approval.Rejected)
		path := filepath.Join(f.dir, "approvals.json")
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(text, []byte("rejected"), []byte("approved")), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.want("edited", approval.RuleSignature)
	})
	t.Run("approvals that others can write", func(t *testing.T) {
		f := approved(t)
		if err := os.Chmod(filepath.Join(f.dir, "approvals.json"), 0o666); err != nil {
			t.Fatal(err)
		}
		f.want("mode 0666", approval.RuleMode)
	})
	t.Run("rules that others can write", func(t *testing.T) {
		f := approved(t)
		f.write(`approve = "any"`, 0o622)
		f.want("mode 0622", approval.RuleMode)
	})
	t.Run("rules that allow more than join", func(t *testing.T) {
		f := newFixture(t, approval.Ask)
		f.write(`approve = "any"`, 0o600)
		f.want("the stricter one counts", approval.RuleApproval)
	})
	t.Run("the clock turned back", func(t *testing.T) {
		f := approved(t)
		f.write(`hours = "20:00-06:00"`, 0o600)
		f.now, f.last = f.now.Add(-11*time.Hour), f.now.Add(-11*time.Hour)
		f.want("at 11:00", approval.RuleHours)
		f.now = f.last.Add(-9 * time.Hour)
		f.want("turned back to 02:00", approval.RuleClock)
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(from, "approvals.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "approvals.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A version is named by its whole hash, or by so many digits that nobody makes another one with the same.
func TestFind(t *testing.T) {
	a, b := strings.Repeat("a", 64), "aaaaaaaa"+strings.Repeat("b", 56) // they agree in eight digits
	for prefix, want := range map[string]domain.Code{
		a: "", a[:16]: "", b[:16]: "", strings.ToUpper(b[:20]): "", a[:8]: domain.Invalid, a[:15]: domain.Invalid, "": domain.Invalid,
		strings.Repeat("c", 16): domain.NotFound, strings.Repeat("x", 16): domain.Invalid,
	} {
		if got, err := approval.Find(prefix, []string{a, b}); domain.CodeOf(err) != want || want == "" && !strings.HasPrefix(got, strings.ToLower(prefix)) {
			t.Errorf("%q: %q, %v; want %q", prefix, got, err, want)
		}
	}
	if _, err := approval.Find(strings.Repeat("d", 16), []string{strings.Repeat("d", 64), strings.Repeat("d", 63) + "e"}); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("two versions: %v", err)
	}
}

// A new key of the machine keeps the approvals.
func TestApprovalsStayWithANewKey(t *testing.T) {
	f := newFixture(t, approval.Ask)
	f.decide(approval.Approved)
	next := newKey(t)
	if err := f.gate.Store.Rekey(next); err != nil {
		t.Fatal(err)
	}
	f.want("with the old key", approval.RuleSignature)
	var err error
	if f.gate.Store, err = approval.New(f.dir, "fl.example.org", "cardio", next); err != nil {
		t.Fatal(err)
	}
	f.want("with the new key", "")
}

func TestNamesThatPassForOthers(t *testing.T) {
	v, err := approval.Read(fab(t, "nor\u200bth", ""), false)
	if err != nil || v.Publisher == "north" || strings.ContainsRune(v.App, '\u200b') {
		t.Errorf("%q, %v", v.Publisher, err)
	}
}
