package ledger

import (
	"fmt"
	"slices"

	"blossomtune/internal/receipt"
)

// Result is what a ledger and a run's receipt agree on.
type Result struct {
	Replies     int   `json:"replies"` // in both
	Objects     int   `json:"objects"` // of these replies; their hashes are covered by the replies'
	Bytes       int64 `json:"bytes"`   // of these objects
	Undelivered int   `json:"undelivered"`
	Anchor      int64 `json:"anchor"`            // the newest line that the receipt confirms; 0: none
	Partial     bool  `json:"partial,omitempty"` // the receipt does not list all replies
}

// Verify compares a ledger with a run's receipt, whose signature the caller has checked: each reply of this machine in one must be in
// the other. nodes are the SuperNode ids that the machine has, besides those in the ledger. A reply that is in the ledger and was never
// sent whole is counted as undelivered. A [*Broken] error names the rule that is broken.
func Verify(dir string, st receipt.Statement, nodes ...string) (Result, error) {
	c := comparison{run: st.Predicate, mine: map[string]bool{}, replies: map[string]Entry{}, sent: map[string]bool{},
		hashes: map[int64]string{}}
	for _, id := range nodes {
		c.mine[id] = true
	}
	for _, l := range c.run.Ledgers {
		c.hashes[l.N] = ""
	}
	if _, err := Check(dir, c.take); err != nil {
		return Result{}, err
	}
	return c.compare()
}

// comparison is what matters of a ledger for one receipt.
type comparison struct {
	run     receipt.Run
	mine    map[string]bool  // SuperNode ids
	replies map[string]Entry // by root object, without their parts
	counts  map[string]int
	sent    map[string]bool  // root objects of replies that were sent whole
	hashes  map[int64]string // of the lines that the receipt names
}

func (c *comparison) take(e Entry) error {
	if _, named := c.hashes[e.N]; named {
		c.hashes[e.N] = e.Hash
	}
	if e.Run != c.run.EngineRunID || e.Federation != c.run.Federation || e.Run == "" {
		return nil
	}
	switch e.What {
	case Reply, Failed:
		c.mine[e.Node] = true
		if c.counts == nil {
			c.counts = map[string]int{}
		}
		c.counts[e.Object] = len(e.Objects)
		e.Records, e.Objects = nil, nil
		c.replies[e.Object] = e
	case Sent:
		c.sent[e.Object] = e.Object != ""
	}
	return nil
}

func (c *comparison) compare() (r Result, err error) {
	_, r.Partial = c.run.LeftOut["rounds"]
	listed := map[string]bool{}
	for _, round := range c.run.Rounds {
		for _, reply := range round.Replies {
			if !c.mine[reply.NodeID] || reply.Object == "" || listed[reply.Object] {
				continue
			}
			listed[reply.Object] = true
			e, ok := c.replies[reply.Object]
			if !ok {
				return r, &Broken{Rule: RuleReceipt,
					Why: fmt.Sprintf("the receipt has the reply %s of round %d (%s), the ledger does not", reply.Object, round.Round, reply.Phase)}
			}
			r.Replies, r.Objects, r.Bytes = r.Replies+1, r.Objects+c.counts[reply.Object], r.Bytes+e.Bytes
		}
	}
	for object, e := range c.replies {
		switch {
		case listed[object]:
		case !c.sent[object]:
			r.Undelivered++
		case !r.Partial:
			return r, &Broken{Rule: RuleLedger, Line: e.N, Why: fmt.Sprintf("the reply %s was sent, and the receipt does not have it", object)}
		}
	}
	for _, l := range c.run.Ledgers {
		if !c.mine[l.NodeID] {
			continue
		}
		if c.hashes[l.N] != l.Hash {
			return r, &Broken{Rule: RuleAnchor, Line: l.N, Why: "the server has another hash for this line, or the line is missing"}
		}
		r.Anchor = max(r.Anchor, l.N)
	}
	return r, nil
}

// Runs sums up what a ledger has of each run, in the order in which the runs began here.
func Runs(dir string) ([]Total, error) {
	var out []Total
	_, err := Check(dir, func(e Entry) error {
		if e.Run == "" {
			return nil
		}
		at := slices.IndexFunc(out, func(t Total) bool { return t.Run == e.Run && t.Federation == e.Federation })
		if at < 0 {
			out = append(out, Total{Federation: e.Federation, Run: e.Run})
			at = len(out) - 1
		}
		out[at].add(e)
		return nil
	})
	return out, err
}

// Total is what left because of one run.
type Total struct {
	Federation string `json:"federation"`
	Run        string `json:"run"`
	RunName    string `json:"run_name,omitempty"`
	Replies    int    `json:"replies"`
	Errors     int    `json:"errors"`
	Objects    int64  `json:"object_bytes"` // of the replies' objects; some of them may have been sent before
	Bytes      int64  `json:"bytes"`        // of all calls to the SuperLink, as the server counts them
	Shared     int64  `json:"shared_bytes"` // of logs and reports of failures
}

func (t *Total) add(e Entry) {
	if e.RunName != "" {
		t.RunName = e.RunName
	}
	switch e.What {
	case Reply:
		t.Replies, t.Objects = t.Replies+1, t.Objects+e.Bytes
	case Failed:
		t.Errors, t.Objects = t.Errors+1, t.Objects+e.Bytes
	case Sent:
		t.Bytes += e.Bytes
	case Log, Exit:
		t.Shared += e.Bytes
	}
}
