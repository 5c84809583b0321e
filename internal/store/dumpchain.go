package store

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// DumpChain checks the audit's chain in a dump of PostgreSQL, without a PostgreSQL.
type DumpChain struct {
	d     Dump
	check *chainCheck
	head  auditHead
	last  int64 // the newest entry
}

// NewDumpChain begins a check. [DumpChain.Take] is for the rows of the tables "audit", "audit_head" and "audit_erasure", in
// any order.
func NewDumpChain(d Dump) *DumpChain {
	return &DumpChain{d: d, check: newChainCheck(auditHead{last: math.MaxInt64})}
}

// Needs reports whether a table is part of the chain.
func (c *DumpChain) Needs(table string) bool {
	return c.d.Audited && (table == "audit" || table == "audit_head" || table == "audit_erasure")
}

// maxLine bounds one row of the audit.
const maxLine = 16 << 20

// Take reads the rows of a table, in COPY's text format.
func (c *DumpChain) Take(table string, r io.Reader) error {
	i := slices.IndexFunc(c.d.Tables, func(t DumpTable) bool { return t.Name == table })
	if i < 0 {
		return domain.Errorf(domain.Invalid, "The backup does not describe its table %s.", table)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		row, err := copyRow(c.d.Tables[i].Columns, lines.Text())
		if err != nil {
			return fmt.Errorf("reading the table %s: %w", table, err)
		}
		if table == "audit_erasure" {
			c.check.erasures.rows = append(c.check.erasures.rows, erasureRow{row.number("audit_id"), row.number("person_id"), row.bytes("hash")})
			continue
		}
		if table == "audit" {
			r := row.audit()
			c.last = r.id
			if c.check.v.Fault == 0 {
				c.check.add(r)
			}
			continue
		}
		c.head = row.head()
	}
	return lines.Err()
}

// Verdict is the result when all rows were taken.
func (c *DumpChain) Verdict() domain.AuditVerdict {
	if !c.d.Audited {
		return domain.AuditVerdict{}
	}
	c.check.head = c.head
	slices.SortFunc(c.check.erasures.rows, func(a, b erasureRow) int {
		return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.audit, b.audit))
	})
	c.check.v.Since, c.check.v.Hash = moment(c.head.since), hex.EncodeToString(c.head.hash)
	v := c.check.verdict()
	if v.Fault == 0 && c.last > c.head.last { // entries after the newest that the head knows
		v.Fault = c.last
	}
	return v
}

// copied is a row by column, its texts unescaped.
type copied map[string]string

func copyRow(columns []string, line string) (copied, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != len(columns) {
		return nil, fmt.Errorf("a row has %d columns, not %d", len(fields), len(columns))
	}
	out := copied{}
	for i, f := range fields {
		out[columns[i]] = copyText(f)
	}
	return out, nil
}

// copyText undoes the escapes of COPY. NULL becomes "".
func copyText(f string) string {
	if f == `\N` {
		return ""
	}
	if !strings.Contains(f, `\`) {
		return f
	}
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '\\' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		if at := strings.IndexByte("bfnrtv", f[i]); at >= 0 {
			b.WriteByte("\b\f\n\r\t\v"[at])
		} else {
			b.WriteByte(f[i])
		}
	}
	return b.String()
}

func (c copied) number(column string) int64 {
	n, _ := strconv.ParseInt(c[column], 10, 64) // a wrong number breaks the chain
	return n
}

func (c copied) bytes(column string) []byte {
	b, _ := hex.DecodeString(strings.TrimPrefix(c[column], `\x`)) // likewise
	return b
}

func (c copied) audit() auditRow {
	return auditRow{id: c.number("id"), at: c.number("at"), kind: c["actor_kind"], person: c.number("actor_person_id"),
		name: c["actor_name"], action: c["action"],
		object: c["object_kind"], of: c["object_id"], federation: c.number("federation_id"), detail: c["detail"], hash: c.bytes("hash"), erased: c.number("erased") == 1}
}

func (c copied) head() auditHead {
	return auditHead{last: c.number("last_id"), entries: c.number("entries"), hash: c.bytes("hash"), since: c.number("since"),
		whole: c.number("whole") == 1}
}
