package ledger_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/receipt"
)

var start = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)

func clock() time.Time { return start }

// The newest rounds are kept, each with its replies, errors, bytes and kinds of records.
func TestRounds(t *testing.T) {
	dir := t.TempDir()
	all := entries()
	second := entries()[0]
	second.Round, second.RunName = "2", "digits-1"
	second.Records = append(second.Records, ledger.Record{Name: "metrics", Kind: "MetricRecord", Bytes: 7}, ledger.Record{Name: "more", Kind: "ArrayRecord", Bytes: 3})
	late := entries()[2] // of round 1, after round 2 has begun
	fill(t, dir, append(all, second, late)...)
	for most, want := range map[int][]ledger.Round{
		0: {},
		1: {{Federation: "cardio", Run: "42", Round: "1", Replies: 1, Bytes: 50, Kinds: []ledger.KindOfSent{}}},
		9: {
			{Federation: "cardio", Run: "42", RunName: "digits-1", Round: "2", Replies: 1, Bytes: 100, Kinds: []ledger.KindOfSent{{Kind: "ArrayRecord", Bytes: 93}, {Kind: "MetricRecord", Bytes: 7}}},
			{Federation: "cardio", Run: "42", Round: "1", Replies: 3, Errors: 1, Bytes: 220, Kinds: []ledger.KindOfSent{{Kind: "ArrayRecord", Bytes: 90}}},
		},
	} {
		rounds := ledger.Rounds{Most: most}
		if _, err := ledger.Check(dir, func(e ledger.Entry) error { rounds.Add(e); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := rounds.All(); !reflect.DeepEqual(got, want) {
			t.Errorf("%d rounds: %+v, want %+v", most, got, want)
		}
	}
}

func hash(c byte) string { return strings.Repeat(string(c), 64) }

// entries are a run's: two replies that were sent, and an error.
func entries() []ledger.Entry {
	e := func(what ledger.What, message, object string, size int64) ledger.Entry {
		return ledger.Entry{What: what, Server: "fl.example.org", Federation: "cardio", Run: "42", Node: "4711", Message: hash(message[0]), Object: object, Bytes: size, Round: "1", Type: "train"}
	}
	first := e(ledger.Reply, "1", hash('a'), 100)
	first.Records = []ledger.Record{{Name: "=arrays", Kind: "ArrayRecord", Bytes: 90, Object: hash('b'), Arrays: []ledger.Array{{Name: "w", DType: "float32", Shape: []int64{3, 2}, Bytes: 80, Object: hash('c')}}}}
	first.Objects = []ledger.Object{{ID: hash('a'), Kind: "Message", Bytes: 10}, {ID: hash('b'), Kind: "ArrayRecord", Bytes: 10}, {ID: hash('c'), Kind: "Array", Bytes: 80}}
	return []ledger.Entry{first, e(ledger.Sent, "1", hash('a'), 150), e(ledger.Reply, "2", hash('d'), 50), e(ledger.Sent, "2", hash('d'), 70), e(ledger.Failed, "3", hash('e'), 20), e(ledger.Sent, "3", hash('e'), 30)}
}

func fill(t *testing.T, dir string, all ...ledger.Entry) {
	t.Helper()
	l, err := ledger.Open(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, e := range all {
		if _, err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func file(dir string) string { return filepath.Join(dir, "ledger.jsonl") }
func head(dir string) string { return filepath.Join(dir, "ledger.head") }

// change rewrites a file.
func change(t *testing.T, path string, do func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, do(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func linesOf(text []byte) [][]byte {
	return bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

func broken(err error) ledger.Rule {
	var b *ledger.Broken
	if errors.As(err, &b) {
		return b.Rule
	}
	return ""
}

// Whoever changes the ledger is found, by the command that reads it and by the agent's next start.
func TestEachChangeIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		rule ledger.Rule
		do   func(t *testing.T, dir string)
	}{
		"an edited line": {ledger.RuleLine, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { return bytes.Replace(b, []byte(`"bytes":50`), []byte(`"bytes":49`), 1) })
		}},
		"an edited hash": {ledger.RuleLine, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { b[len(b)-4] ^= 1; return b })
		}},
		"a removed line": {ledger.RuleOrder, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { l := linesOf(b); return bytes.Join(append(l[:2:2], l[3:]...), nil) })
		}},
		"a line twice": {ledger.RuleOrder, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { l := linesOf(b); return bytes.Join(append(l[:2:2], l[1:]...), nil) })
		}},
		"lines exchanged": {ledger.RuleOrder, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { l := linesOf(b); l[1], l[2] = l[2], l[1]; return bytes.Join(l, nil) })
		}},
		"the tail cut off": {ledger.RuleTail, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { return bytes.Join(linesOf(b)[:4], nil) })
		}},
		"half of the last line": {ledger.RuleTail, func(t *testing.T, dir string) {
			change(t, file(dir), func(b []byte) []byte { return b[:len(b)-20] })
		}},
		"all of it removed": {ledger.RuleTail, func(t *testing.T, dir string) {
			if err := os.Remove(file(dir)); err != nil {
				t.Fatal(err)
			}
		}},
		"the head removed": {ledger.RuleHead, func(t *testing.T, dir string) {
			if err := os.Remove(head(dir)); err != nil {
				t.Fatal(err)
			}
		}},
		"the head edited": {ledger.RuleHead, func(t *testing.T, dir string) {
			change(t, head(dir), func(b []byte) []byte { return bytes.Replace(b, []byte(`"n":6`), []byte(`"n":5`), 1) })
		}},
		"written by others": {ledger.RuleMode, func(t *testing.T, dir string) {
			if err := os.Chmod(file(dir), 0o666); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, entries()...)
			if h, err := ledger.Check(dir, nil); err != nil || h.N != 6 {
				t.Fatalf("before: %+v, %v", h, err)
			}
			tt.do(t, dir)
			if _, err := ledger.Check(dir, nil); broken(err) != tt.rule {
				t.Errorf("reading: %v, want the rule %q", err, tt.rule)
			}
			l, err := ledger.Open(dir, clock)
			if err == nil {
				_ = l.Close()
			}
			if broken(err) != tt.rule {
				t.Errorf("opening: %v, want the rule %q", err, tt.rule)
			}
		})
	}
}

// Each single flipped byte is found.
func TestOneFlippedByteIsFound(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, entries()[:2]...)
	whole, err := os.ReadFile(file(dir))
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		change(t, file(dir), func([]byte) []byte { b := bytes.Clone(whole); b[at] ^= 1; return b })
		if _, err := ledger.Check(dir, nil); broken(err) == "" {
			t.Errorf("byte %d (%q): %v", at, whole[at], err)
		}
	}
}

// A machine that lost power while a line was written goes on; what the line records never left.
func TestALineThatWasNotFinished(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, entries()...)
	change(t, file(dir), func(b []byte) []byte { return append(b, `{"n":7,"at"`...) })
	fill(t, dir, entries()[0])
	if h, err := ledger.Check(dir, nil); err != nil || h.N != 7 {
		t.Errorf("%+v, %v", h, err)
	}
}

// A file that is changed while the agent runs takes no further entry.
func TestNothingIsAddedToAChangedLedger(t *testing.T) {
	for name, do := range map[string]func([]byte) []byte{
		"shorter": func(b []byte) []byte { return b[:len(b)/2] },
		"longer":  func(b []byte) []byte { return append(b, "x\n"...) },
	} {
		dir := t.TempDir()
		l, err := ledger.Open(dir, clock)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(entries()[0]); err != nil {
			t.Fatal(err)
		}
		change(t, file(dir), do)
		if _, err := l.Append(entries()[1]); broken(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		_ = l.Close()
	}
}

func receiptOf(objects ...string) receipt.Statement {
	st := receipt.Statement{Predicate: receipt.Run{Federation: "cardio", Run: "digits-1", EngineRunID: "42"}}
	round := receipt.Round{Round: 1, Replies: []receipt.Reply{{NodeID: "99", Phase: "train", Object: hash('f'), State: "replied"}}}
	for _, o := range objects {
		round.Replies = append(round.Replies, receipt.Reply{NodeID: "4711", Phase: "train", Object: o, State: "replied"})
	}
	st.Predicate.Rounds = []receipt.Round{round}
	return st
}

func TestTheReceiptAndTheLedgerAgree(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, entries()...)
	unsent := entries()[2]
	unsent.Object = hash('9')
	fill(t, dir, unsent)
	newest, err := ledger.Check(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := receiptOf(hash('a'), hash('d'), hash('e'))
	whole.Predicate.Ledgers = []receipt.LedgerHead{{NodeID: "99", N: 7, Hash: hash('0')}, {NodeID: "4711", N: newest.N, Hash: newest.Hash}}
	r, err := ledger.Verify(dir, whole)
	if want := (ledger.Result{Replies: 3, Objects: 3, Bytes: 170, Undelivered: 1, Anchor: 7}); err != nil || r != want {
		t.Errorf("%+v, %v; want %+v", r, err, want)
	}
	begun := t.TempDir() // a ledger that was begun again, with the same replies
	fill(t, begun, entries()...)
	for name, tt := range map[string]struct {
		dir  string
		st   receipt.Statement
		rule ledger.Rule
	}{
		"a reply that the ledger lacks":  {dir, receiptOf(hash('a'), hash('d'), hash('e'), hash('8')), ledger.RuleReceipt},
		"a reply that the receipt lacks": {dir, receiptOf(hash('a'), hash('d')), ledger.RuleLedger},
		"another ledger":                 {begun, whole, ledger.RuleAnchor},
	} {
		if _, err := ledger.Verify(tt.dir, tt.st); broken(err) != tt.rule {
			t.Errorf("%s: %v, want the rule %q", name, err, tt.rule)
		}
	}
}

func TestExportAndTotals(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, entries()...)
	var out bytes.Buffer
	if err := ledger.Export(dir, &out, func(e ledger.Entry) bool { return e.N < 3 }); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got := rows[2][10]; got != "'=arrays" {
		t.Errorf("a spreadsheet takes %q for a formula", got)
	}
	if got := rows[3][12:16]; strings.Join(got, "|") != "w|float32|(3, 2)|80" {
		t.Errorf("the array is %q", got)
	}
	all, err := ledger.Runs(dir)
	if want := (ledger.Total{Federation: "cardio", Run: "42", Replies: 2, Errors: 1, Objects: 170, Bytes: 250}); err != nil || len(all) != 1 || all[0] != want {
		t.Errorf("%+v, %v", all, err)
	}
}
