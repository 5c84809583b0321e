package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"blossomtune/internal/domain"
)

// chainCheck goes along the chain of audit entries.
type chainCheck struct {
	head auditHead
	hash []byte
	v    domain.AuditVerdict

	erasures erasures
}

func newChainCheck(head auditHead) *chainCheck {
	return &chainCheck{head: head, hash: make([]byte, sha256.Size), v: domain.AuditVerdict{Since: moment(head.since),
		Hash: hex.EncodeToString(head.hash)}}
}

// add takes the next entry and reports whether it fits; the rest need not be added then. Whether an erased entry fits the one before it is
// known only at the end: its own hash is of the text that it had.
func (c *chainCheck) add(r auditRow) bool {
	hash := r.chained(c.hash)
	c.erasures.note(r, hash, c.v.Entries)
	if c.hash = hash; r.erased && len(r.hash) == sha256.Size {
		c.hash = r.hash
	}
	if !bytes.Equal(c.hash, r.hash) || r.id > c.head.last {
		place{r.id, r.at, c.v.Entries}.on(&c.v)
		return false
	}
	c.v.Entries++
	if r.erased {
		c.v.Erased++
	}
	return true
}

// verdict is the result after the last entry.
func (c *chainCheck) verdict() domain.AuditVerdict {
	if c.v.Fault != 0 {
		return c.v
	}
	if fault := c.erasures.fault(); fault != nil {
		fault.on(&c.v)
		return c.v
	}
	c.v.Short = !bytes.Equal(c.hash, c.head.hash) || int64(c.v.Entries) != c.head.entries
	return c.v
}
