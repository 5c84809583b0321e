package ledger

import (
	"cmp"
	"slices"
)

// Round is what left because of one round of a run.
type Round struct {
	Federation string       `json:"federation"`
	Run        string       `json:"run"`
	RunName    string       `json:"run_name,omitempty"`
	Round      string       `json:"round,omitempty"` // empty where the app names no rounds
	Replies    int          `json:"replies"`
	Errors     int          `json:"errors"`
	Bytes      int64        `json:"bytes"` // of the replies' objects
	Kinds      []KindOfSent `json:"kinds"` // of the replies' records, the largest first
}

// KindOfSent is how much of a round's records is of one kind, such as ArrayRecord.
type KindOfSent struct {
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
}

// Rounds collects the newest rounds of a ledger. The zero value keeps none; set Most first.
type Rounds struct {
	Most int
	list []Round
}

// Add takes the next entry of a ledger. Entries other than replies are ignored.
func (r *Rounds) Add(e Entry) {
	if e.What != Reply && e.What != Failed || r.Most < 1 {
		return
	}
	at := slices.IndexFunc(r.list, func(o Round) bool { return o.Federation == e.Federation && o.Run == e.Run && o.Round == e.Round })
	next := Round{Federation: e.Federation, Run: e.Run, Round: e.Round, Kinds: []KindOfSent{}}
	if at >= 0 { // the round with the newest entry is last
		next = r.list[at]
		r.list = slices.Delete(r.list, at, at+1)
	} else if len(r.list) == r.Most {
		r.list = slices.Delete(r.list, 0, 1)
	}
	next.add(e)
	r.list = append(r.list, next)
}

// All returns the newest rounds, the newest last.
func (r *Rounds) All() []Round { return append([]Round{}, r.list...) }

func (r *Round) add(e Entry) {
	r.RunName, r.Bytes = cmp.Or(e.RunName, r.RunName), r.Bytes+e.Bytes
	if e.What == Failed {
		r.Errors++
		return
	}
	r.Replies++
	for _, record := range e.Records {
		at := slices.IndexFunc(r.Kinds, func(k KindOfSent) bool { return k.Kind == record.Kind })
		if at < 0 {
			at = len(r.Kinds)
			r.Kinds = append(r.Kinds, KindOfSent{Kind: record.Kind})
		}
		r.Kinds[at].Bytes += record.Bytes
	}
	slices.SortStableFunc(r.Kinds, func(a, b KindOfSent) int { return cmp.Compare(b.Bytes, a.Bytes) })
}
