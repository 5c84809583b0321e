package store

import (
	"bytes"
	"encoding/json"
	"time"

	"blossomtune/internal/domain"
)

// erasures are checked at the end: their rows may be read before or after the entries.
type erasures struct {
	rows    []erasureRow          // by person, then by entry
	content map[int64]erasedEntry // entries from which something was erased, by id
	order   []erasureEntry        // the entries of erasures, in the chain's order
}

// place is where an entry stands in the chain.
type place struct {
	entry  int64
	at     int64 // when it says it was written
	before int   // how many entries are before it
}

// erasedEntry is an entry from which something was erased, with the hash of its text behind the entry before it.
type erasedEntry struct {
	place
	hash []byte
}

// erasureEntry is the entry of an erasure.
type erasureEntry struct {
	place
	person string // the object of the entry
	digest string
}

// note takes the next entry; hash is that of its text behind the entry before it, n the number of entries before it.
func (e *erasures) note(r auditRow, hash []byte, n int) {
	at := place{r.id, r.at, n}
	if r.erased {
		if e.content == nil {
			e.content = map[int64]erasedEntry{}
		}
		e.content[r.id] = erasedEntry{at, hash}
	}
	if r.action == domain.ActionPersonErased {
		var detail map[string]string
		_ = json.Unmarshal([]byte(r.detail), &detail) // without a digest it does not fit
		e.order = append(e.order, erasureEntry{at, r.of, detail["digest"]})
	}
}

// fault returns the first entry that was changed otherwise than an erasure of the chain says, or the erasure whose entries are not all
// there; nil for none.
func (e *erasures) fault() *place {
	sums, byPerson := map[string]erasureDigest{}, map[string][]erasureRow{}
	for _, r := range e.rows {
		key := domain.ErasedPersonRef(r.person)
		if _, known := sums[key]; !known {
			sums[key] = newErasureDigest()
		}
		sums[key].add(r)
		byPerson[key] = append(byPerson[key], r)
	}
	var first *place
	bad := func(p place) {
		if first == nil || p.entry < first.entry {
			first = &p
		}
	}
	last := map[int64][]byte{}
	for _, o := range e.order {
		sum, known := sums[o.person]
		if !known {
			sum = newErasureDigest()
		}
		if sum.text() != o.digest {
			bad(o.place)
			continue
		}
		for _, r := range byPerson[o.person] {
			if _, there := e.content[r.audit]; !there {
				bad(o.place)
			}
			last[r.audit] = r.hash
		}
	}
	for id, c := range e.content {
		if !bytes.Equal(last[id], c.hash) {
			bad(c.place)
		}
	}
	return first
}

// on makes a verdict tell of the fault.
func (p place) on(v *domain.AuditVerdict) {
	v.Fault, v.FaultAt, v.Entries = p.entry, time.UnixMilli(p.at).UTC(), p.before
}
