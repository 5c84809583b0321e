package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
)

// exitBroken is the exit code of ledger where the ledger was changed, or does not agree with a receipt.
const exitBroken = 6

// whichFlags name one federation on this machine.
type whichFlags struct {
	URL string `arg:"" optional:"" help:"Address of the server; needed where this machine is enrolled at several."`
	Dir string `help:"Directory of this machine's key, state and ledger. Default: below ~/.blossomtune." type:"path"`
}

type ledgerCmd struct {
	whichFlags
	ForRun string `name:"run" help:"Only what left because of this run: its Run ID, or the SuperLink's number." placeholder:"RUN"`
	JSON   bool   `help:"One entry a line, as it is stored." xor:"what"`
	Totals bool   `help:"What left because of each run." xor:"what"`
	Export string `help:"Write the entries as CSV: each record and array in a row." placeholder:"FILE.csv" xor:"what"`
	Verify string `help:"Compare the ledger with a run's receipt: each reply in one must be in the other." placeholder:"RECEIPT" type:"existingfile" xor:"what"`
	Key    string `help:"The server's public key (its /receipt-key.pem), or that key's id, for --verify."`
}

// Run shows what left this machine. It always checks the whole ledger.
func (c *ledgerCmd) Run() error {
	m, left := agent.LeftLedger(c.Dir)
	var err error
	if !left {
		if m, err = agent.OneMachine(c.Dir, c.URL); err != nil {
			return err
		}
	}
	switch {
	case c.Verify != "":
		err = c.verify(m)
	case c.Export != "":
		err = c.export(m)
	case c.Totals:
		err = totals(m)
	default:
		err = c.list(m)
	}
	if _, ok := errors.AsType[*ledger.Broken](err); ok {
		return withExit{ledger.Explain(m.Dir, err), exitBroken}
	}
	return err
}

func (c *ledgerCmd) want(e ledger.Entry) bool {
	return c.ForRun == "" || e.Run == c.ForRun || e.RunName == c.ForRun
}

func (c *ledgerCmd) list(m agent.Machine) error {
	out := bufio.NewWriter(os.Stdout)
	head, err := ledger.Check(m.Dir, func(e ledger.Entry) error {
		switch {
		case !c.want(e):
			return nil
		case c.JSON:
			return json.NewEncoder(out).Encode(struct {
				ledger.Entry
				Hash string `json:"hash"`
			}{e, e.Hash})
		}
		_, err := fmt.Fprintln(out, entryLine(e))
		return err
	})
	if err == nil && !c.JSON {
		fmt.Fprintf(out, "%d entries; the chain is whole. Newest: %s\n", head.N, head.Hash)
	}
	return errors.Join(err, out.Flush())
}

// entryLine sums an entry up.
func entryLine(e ledger.Entry) string {
	run := e.RunName
	if run == "" {
		run = e.Run
	}
	if e.Round != "" {
		run += ", round " + e.Round
	}
	head := fmt.Sprintf("%6d  %s  %-5s  ", e.N, e.At.Local().Format(time.DateTime), e.What)
	switch e.What {
	case ledger.Reply:
		return head + fmt.Sprintf("%s: %s, %d records, %s, %.16s", run, e.Type, len(e.Records), size(e.Bytes), e.Object)
	case ledger.Failed:
		return head + fmt.Sprintf("%s: %s, %s", run, e.Type, e.Reason)
	case ledger.Sent:
		return head + fmt.Sprintf("%s: %s to the SuperLink", run, size(e.Bytes))
	}
	return head + fmt.Sprintf("%s: %d lines of %s, %s", run, e.Lines, e.Part, size(e.Bytes))
}

// size writes bytes with decimal units, as the pages do.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func totals(m agent.Machine) error {
	all, err := ledger.Runs(m.Dir)
	for _, t := range all {
		run := t.RunName
		if run == "" {
			run = t.Run
		}
		fmt.Printf("%s: %d replies, %d errors, %s sent (%d bytes), %s of logs\n", run, t.Replies, t.Errors, size(t.Bytes), t.Bytes,
			size(t.Shared))
	}
	return err
}

func (c *ledgerCmd) export(m agent.Machine) error {
	f, err := os.OpenFile(c.Export, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(ledger.Export(m.Dir, f, c.want), f.Close())
}

func (c *ledgerCmd) verify(m agent.Machine) error {
	st, signedBy, err := openReceipt(c.Verify, c.Key)
	if err != nil {
		return err
	}
	if m.Federation != "" && st.Predicate.Federation != m.Federation {
		return domain.Errorf(domain.Invalid, "The receipt is of the federation %q, this ledger of %q.", st.Predicate.Federation, m.Federation).
			Fix("Name the other directory with --dir.")
	}
	r, err := ledger.Verify(m.Dir, st, m.NodeID)
	if err != nil {
		return err
	}
	fmt.Printf("The ledger and the receipt of %s agree: %d replies with %d objects, %s.\n", st.Predicate.Run, r.Replies, r.Objects,
		size(r.Bytes))
	if r.Undelivered > 0 {
		fmt.Printf("%d replies were recorded and not sent whole; the receipt does not have to name them.\n", r.Undelivered)
	}
	if r.Partial {
		fmt.Println("The receipt does not list all replies of the run, so only those that it lists were compared.")
	}
	if r.Anchor > 0 {
		fmt.Printf("The receipt confirms the ledger's entries up to %d.\n", r.Anchor)
	} else {
		fmt.Println("The receipt names no entry of this ledger, so it does not confirm its order.")
	}
	fmt.Printf("Signed by the key %s\n", signedBy)
	return nil
}

// openReceipt reads a receipt and checks its signature. Its errors have the exit codes of verify.
func openReceipt(path, keyFlag string) (st receipt.Statement, signedBy string, err error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > receipt.MaxEnvelope {
		err = domain.Errorf(domain.TooLarge, "%s is too large for a receipt.", path)
	}
	if err != nil {
		return st, "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return st, "", err
	}
	key, id, err := receiptKey(keyFlag)
	if err != nil {
		return st, "", err
	}
	st, signedBy, err = receipt.Open(text, key)
	switch {
	case domain.CodeOf(err) == domain.Forbidden:
		return st, signedBy, withExit{err, exitAnotherKey}
	case err != nil:
		return st, signedBy, withExit{err, exitChanged}
	case id != "" && id != signedBy:
		return st, signedBy, withExit{domain.Errorf(domain.Forbidden, "The key %s signed this receipt, not %s.", signedBy, id), exitAnotherKey}
	}
	return st, signedBy, nil
}
