package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

// Rule names what a ledger must satisfy.
type Rule string

// The rules. Each is broken by one kind of change.
const (
	RuleLine Rule = "line" // a line is as it was written: its hash is that of its content
	// no line was removed, added or moved: numbers follow each other, and each line names the hash of the one before
	RuleOrder   Rule = "order"
	RuleTail    Rule = "tail"    // no line is missing at the end: the head file names the newest one
	RuleHead    Rule = "head"    // the head file is there and names a line of the ledger
	RuleMode    Rule = "mode"    // only the owner can write the files
	RuleAnchor  Rule = "anchor"  // the newest hash that the server was told of stands in the ledger
	RuleReceipt Rule = "receipt" // each reply in the receipt is in the ledger
	RuleLedger  Rule = "ledger"  // each reply in the ledger is in the receipt
)

// Broken says which rule a ledger breaks, and where.
type Broken struct {
	Rule Rule
	Line int64 // 0 where it is not one line
	Why  string
}

// Error returns the rule and what was found.
func (b *Broken) Error() string {
	if b.Line > 0 {
		return fmt.Sprintf("rule %q is broken at line %d: %s", b.Rule, b.Line, b.Why)
	}
	return fmt.Sprintf("rule %q is broken: %s", b.Rule, b.Why)
}

// Head names the newest line.
type Head struct {
	N    int64  `json:"n"`
	Hash string `json:"hash"`
}

func file(dir string) string     { return filepath.Join(dir, "ledger.jsonl") }
func headFile(dir string) string { return filepath.Join(dir, "ledger.head") }

// Check reads a whole ledger and hands on its entries in order; take may be nil. It returns the newest line. A [*Broken] error names the
// rule that the ledger breaks. A directory without a ledger has an empty one.
func Check(dir string, take func(Entry) error) (Head, error) {
	f, err := open(file(dir))
	if errors.Is(err, fs.ErrNotExist) {
		known, err := readHead(dir)
		if err == nil && known.N > 0 {
			err = &Broken{Rule: RuleTail, Why: fmt.Sprintf("the ledger is missing; it had %d lines", known.N)}
		}
		return Head{Hash: noHash}, err
	}
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	head, _, err := scan(dir, f, take)
	return head, err
}

// open opens one of the files and checks who can write it.
func open(path string) (*os.File, error) {
	f, err := openfile.Regular(path)
	if err != nil {
		return nil, err
	}
	if err := private(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// scan checks all lines. whole is how many bytes they have: what follows was never written to its end.
func scan(dir string, r io.Reader, take func(Entry) error) (head Head, whole int64, err error) {
	known, err := readHead(dir)
	if err != nil {
		return Head{}, 0, err
	}
	head.Hash = noHash
	rest, err := lines(r, func(line []byte) error {
		var e Entry
		at := head.N + 1
		switch {
		case !e.read(line):
			return &Broken{Rule: RuleLine, Line: at, Why: "its hash is not that of its content"}
		case e.N != at:
			return &Broken{Rule: RuleOrder, Line: at, Why: fmt.Sprintf("it is entry %d", e.N)}
		case e.Prev != head.Hash:
			return &Broken{Rule: RuleOrder, Line: at, Why: "it does not follow the line before it"}
		case e.N == known.N && e.Hash != known.Hash:
			return &Broken{Rule: RuleHead, Line: at, Why: "the head file names another line"}
		}
		head, whole = Head{N: e.N, Hash: e.Hash}, whole+int64(len(line))+1
		if take == nil {
			return nil
		}
		return take(e)
	})
	switch {
	case err != nil:
		return head, whole, err
	case head.N < known.N:
		return head, whole, &Broken{Rule: RuleTail, Line: head.N + 1, Why: fmt.Sprintf("%d lines are missing at the end", known.N-head.N)}
	case known.N == 0 && head.N > 1: // the first line is written before the first head
		return head, whole, &Broken{Rule: RuleHead, Why: "the head file is missing"}
	case len(rest) > 0 && known.N > head.N:
		return head, whole, &Broken{Rule: RuleTail, Line: head.N + 1, Why: "the last line is cut off"}
	}
	return head, whole, nil
}

func readHead(dir string) (h Head, err error) {
	f, err := open(headFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return Head{}, nil
	}
	if err != nil {
		return h, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return h, err
	}
	if json.Unmarshal(text, &h) != nil || h.N < 1 || !isHash(h.Hash) {
		return h, &Broken{Rule: RuleHead, Why: "the head file cannot be read"}
	}
	return h, nil
}

// Explain makes a broken rule an error with a remedy, for the owner of a directory.
func Explain(dir string, err error) error {
	if b, ok := errors.AsType[*Broken](err); ok {
		return domain.Errorf(domain.Conflict, "The ledger in %s was changed: %s.", dir, b.Error()).
			Fix("Find out who changed it. To start a new ledger, move ledger.jsonl and ledger.head elsewhere and keep them.")
	}
	return err
}
