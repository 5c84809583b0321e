package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

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

// add takes the next entry and reports whether it fits; the rest need not be added then.
func (c *chainCheck) add(r auditRow) bool {
	if r.erased && len(r.hash) == sha256.Size {
		c.hash = r.hash // its text is checked at the end
	} else {
		c.hash = r.chained(c.hash)
	}
	c.erasures.note(r)
	if !bytes.Equal(c.hash, r.hash) || r.id > c.head.last {
		c.v.Fault, c.v.FaultAt = r.id, time.UnixMilli(r.at).UTC()
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
	if c.v.Fault == 0 {
		c.v.Fault = c.erasures.fault()
	}
	if c.v.Fault == 0 {
		c.v.Short = !bytes.Equal(c.hash, c.head.hash)
	}
	return c.v
}
