package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/client"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
)

// recorder writes everything that leaves this machine into its ledger, before it leaves. It implements [supernode.Recorder].
type recorder struct {
	ledger     *ledger.Ledger
	server     string
	federation string
	names      func(run uint64) string                   // of runs, as the server says; empty where it did not
	grown      chan struct{}                             // told when the ledger has grown
	most       func() (n int64, limited bool, err error) // bytes that may leave in a round

	mu   sync.Mutex
	late []ledger.Entry   // error replies that left while the ledger could not be written
	left map[string]int64 // bytes that left, by run and round
}

// maxLate bounds the error replies that wait for the ledger; what is beyond is lost with the disk that cannot be written.
const maxLate = 10_000

func (n *node) openLedger() (*recorder, error) {
	l, err := ledger.Open(string(n.h), n.j.o.Clock)
	if err != nil {
		return nil, ledger.Explain(string(n.h), err)
	}
	return &recorder{ledger: l, server: n.st.host(), federation: n.st.Slug, names: n.runs.name, grown: make(chan struct{}, 1)}, nil
}

// add writes an entry, after those that are late.
func (r *recorder) add(e ledger.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.late) > 0 {
		if _, err := r.ledger.Append(r.late[0]); err != nil {
			return err
		}
		r.late = r.late[1:]
	}
	e.Server, e.Federation = r.server, r.federation
	_, err := r.ledger.Append(e)
	if err == nil {
		select {
		case r.grown <- struct{}{}:
		default:
		}
	}
	return err
}

func (r *recorder) entry(what ledger.What, run, node uint64) ledger.Entry {
	return ledger.Entry{What: what, Run: strconv.FormatUint(run, 10), RunName: r.names(run), Node: strconv.FormatUint(node, 10)}
}

// Leaving implements [supernode.Recorder].
func (r *recorder) Leaving(o supernode.Outgoing) error {
	if err := r.within(o); err != nil {
		return err
	}
	e := r.entry(ledger.Reply, o.RunID, o.NodeID)
	if o.Error {
		e.What, e.Reason = ledger.Failed, o.Reason
	}
	e.App, e.Round, e.Type, e.Message, e.Object, e.Bytes = o.FABHash, o.Round, o.MessageType, o.MessageID, o.ReplyID, o.Bytes
	e.Records = rowsOf(o.Records)
	for _, obj := range o.Objects {
		e.Objects = append(e.Objects, ledger.Object(obj))
	}
	err := r.add(e)
	if err != nil && o.Unrecorded {
		r.postpone(e)
	}
	return err
}

// within checks what a reply adds to its round. Where an app does not name rounds, each message is one.
func (r *recorder) within(o supernode.Outgoing) error {
	if o.Error || r.most == nil {
		return nil
	}
	most, limited, err := r.most()
	if err != nil {
		return refusedReply(err)
	}
	if !limited {
		return nil
	}
	round := o.Round
	if round == "" {
		round = o.MessageID
	}
	round = strconv.FormatUint(o.RunID, 10) + " " + round
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left[round]+o.Bytes > most {
		return refusedReply(&approval.Refusal{Rule: approval.RuleBytes})
	}
	if len(r.left) >= maxRounds || r.left == nil {
		r.left = map[string]int64{}
	}
	r.left[round] += o.Bytes
	return nil
}

// maxRounds bounds the rounds whose bytes are remembered.
const maxRounds = 10_000

func refusedReply(err error) error {
	if r, ok := approval.IsRefusal(err); ok {
		return &supernode.AppError{Code: wire.ErrorUnknown, Reason: r.Reason()}
	}
	return err
}

func (r *recorder) postpone(e ledger.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.late) < maxLate {
		e.Late, e.Server, e.Federation = true, r.server, r.federation
		r.late = append(r.late, e)
	}
}

// Sent implements [supernode.Recorder].
func (r *recorder) Sent(s supernode.Sent) {
	e := r.entry(ledger.Sent, s.RunID, s.NodeID)
	e.Message, e.Object, e.Bytes = s.MessageID, s.ReplyID, s.Bytes
	if err := r.add(e); err != nil {
		r.postpone(e)
	}
}

// shared records text that goes to the federation's managers.
func (r *recorder) shared(what ledger.What, part, run string, lines int, text []byte) error {
	sum := sha256.Sum256(text)
	e := ledger.Entry{What: what, Part: part, Run: run, Lines: lines, Bytes: int64(len(text)), Text: hex.EncodeToString(sum[:])}
	if id, err := strconv.ParseUint(run, 10, 64); err == nil {
		e.RunName = r.names(id)
	}
	return r.add(e)
}

// knownRuns is what the server says of the runs going on. It is safe for concurrent use.
type knownRuns struct {
	mu  sync.Mutex
	all map[uint64]knownRun
}

type knownRun struct{ name, launchedBy string }

const maxKnownRuns = 1000

func (k *knownRuns) learn(got client.Enrolment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil || len(k.all) > maxKnownRuns {
		k.all = map[uint64]knownRun{}
	}
	for _, r := range got.Runs {
		k.all[uint64(r.ID)] = knownRun{name: r.Name, launchedBy: r.LaunchedBy}
	}
}

func (k *knownRuns) find(run uint64) knownRun {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[run]
}

func (k *knownRuns) name(run uint64) string { return k.find(run).name }

// rowsOf lists a reply's records as the ledger does.
func rowsOf(records []supernode.Record) (rows []ledger.Record) {
	for _, rec := range records {
		row := ledger.Record{Name: rec.Name, Kind: rec.Kind, Bytes: rec.Bytes, Object: rec.Object}
		for _, a := range rec.Arrays {
			row.Arrays = append(row.Arrays, ledger.Array(a))
		}
		rows = append(rows, row)
	}
	return rows
}
