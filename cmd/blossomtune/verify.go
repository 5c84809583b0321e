package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
)

// Exit codes of verify, besides 0 for a good file and 1 for what cannot be read.
const (
	exitChanged    = 3 // the receipt was changed after it was signed
	exitAnotherKey = 4 // another key signed it
	exitNotIn      = 5 // the file is not in the receipt, or was changed
)

type verifyCmd struct {
	File    string `arg:"" help:"An artifact, the app's FAB, or the log." type:"existingfile"`
	Receipt string `help:"The run's receipt." required:"" type:"existingfile"`
	Key     string `help:"The server's public key (its /receipt-key.pem), or that key's id. Without it the receipt's own key is taken, and its id printed to compare."`
}

// withExit is an error with an exit code of its own.
type withExit struct {
	error
	code int
}

func (e withExit) Unwrap() error { return e.error }

// Run checks, without any network, that a file is the one of which a receipt tells.
func (c *verifyCmd) Run() error {
	st, signedBy, err := openReceipt(c.Receipt, c.Key)
	if err != nil {
		return err
	}
	sum, err := fileHash(c.File)
	if err != nil {
		return err
	}
	names := st.Find(sum)
	run := st.Predicate
	if len(names) == 0 {
		return withExit{domain.Errorf(domain.NotFound, "%s is not in the receipt of %s: no file of the run has the SHA-256 %s.", c.File, run.Run,
			sum).
			Fix("It is of another run, or was changed. The receipt knows: %s.", subjects(st)), exitNotIn}
	}
	state := run.State
	if more := domain.Outcome(run.Outcome).Words(); more != "" {
		state += ", " + more
	}
	fmt.Printf("%s is %s of run %s (%s, federation %s, %s %s).\n", c.File, words(names), run.Run, state, run.Federation, run.App.ID,
		run.App.Version)
	fmt.Printf("SHA-256 %s\nRun ended %s; receipt made %s.\n", sum, run.EndedAt.Format("2 January 2006, 15:04:05 MST"),
		run.MadeAt.Format("2 January 2006, 15:04:05 MST"))
	if c.Key == "" {
		fmt.Printf("Signed by the key that the receipt itself names: %s\nCompare this id with the one that the server shows, or give the "+
			"key with --key.\n", signedBy)
	} else {
		fmt.Printf("Signed by the given key: %s\n", signedBy)
	}
	return nil
}

// receiptKey reads --key: a file with a public key, or a key's id.
func receiptKey(flag string) (key ed25519.PublicKey, id string, err error) {
	if flag == "" {
		return nil, "", nil
	}
	if raw, err := hex.DecodeString(flag); err == nil && len(raw) == sha256.Size {
		return nil, strings.ToLower(flag), nil
	}
	text, err := os.ReadFile(flag)
	if err != nil {
		return nil, "", err
	}
	key, err = receipt.ParseKey(text)
	return key, "", err
}

func fileHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// words says what a file is in the receipt.
func words(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		path, artifact := strings.CutPrefix(n, "artifact/")
		switch {
		case artifact:
			out[i] = fmt.Sprintf("the artifact %q", path)
		case n == "fab":
			out[i] = "the app (FAB)"
		case n == "log":
			out[i] = "the log"
		default:
			out[i] = n
		}
	}
	return strings.Join(out, " and ")
}

func subjects(st receipt.Statement) string {
	var out []string
	for _, s := range st.Subject[:min(len(st.Subject), 20)] {
		out = append(out, strings.TrimPrefix(s.Name, "artifact/"))
	}
	if len(st.Subject) > 20 {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}
