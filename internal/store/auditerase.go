package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// An entry of the audit from which personal data is erased keeps the hash that it had in the chain, so the entries after it still fit.
// Its own text is vouched for by the entry of the erasure: that one has the digest of all entries as the erasure left them, and is itself
// in the chain. Rewriting an old entry therefore always leaves a later entry that says so.

// erasureRow is an audit entry as an erasure left it.
type erasureRow struct {
	audit, person int64
	hash          []byte
}

// erasureDigest sums an erasure up: over its rows in the order of the entries.
type erasureDigest struct{ hash.Hash }

func newErasureDigest() erasureDigest { return erasureDigest{sha256.New()} }

func (d erasureDigest) add(r erasureRow) { fmt.Fprintf(d, "%d:%x\n", r.audit, r.hash) }

func (d erasureDigest) text() string { return hex.EncodeToString(d.Sum(nil)) }

// personWords are what means a person in texts, and what stands there instead.
type personWords struct {
	address *regexp.Regexp // their e-mail addresses, anywhere in a text; nil: none is known
	names   []string       // lower case; only as a whole text: in others a name may be a common word
	label   string
}

func (p personWords) eraseAddress(text string) string {
	if p.address == nil {
		return text
	}
	return p.address.ReplaceAllString(text, "${1}"+p.label+"${2}")
}

func (p personWords) eraseName(text string) string {
	if slices.Contains(p.names, strings.ToLower(text)) {
		return p.label
	}
	return text
}

// nameKeys are details that hold a person's name.
var nameKeys = []string{"name", "by", "as", "deleted_by", "note", "login"}

// personalKeys are details of entries about a person that are personal whatever they say.
var personalKeys = []string{"address", "login", "reason", "message", "organisation", "email"}

// eraseAudit removes a person from the entries of the audit: those that they wrote, those about them or their requests, and those that name
// them. It returns how many entries it changed and the digest that the entry of the erasure must have.
func (tx *Tx) eraseAudit(ctx context.Context, p domain.Person, words personWords, refs []string, names []string) (n int, digest string, err error) {
	if _, err := tx.auditHead(ctx, true); err != nil { // nobody else erases meanwhile
		return 0, "", err
	}
	w := where{args: []any{p.ID}}
	conds := []string{"actor_person_id = $1"}
	if p.Email != "" {
		w.args = append(w.args, p.Email)
		conds = append(conds, "object_kind = 'person' AND object_id = $2")
	}
	mention := func(column, text string) {
		w.args = append(w.args, like(text))
		conds = append(conds, fmt.Sprintf(`LOWER(%s) LIKE $%d ESCAPE '\'`, column, len(w.args)))
	}
	for _, name := range names {
		quoted, err := asJSON(name)
		if err != nil {
			return 0, "", err
		}
		mention("detail", strings.Trim(quoted, `"`))
		mention("actor_name", name)
		mention("object_id", name)
	}
	for _, ref := range refs {
		w.args = append(w.args, ref)
		conds = append(conds, fmt.Sprintf("object_kind = 'request' AND object_id = $%d", len(w.args)))
	}
	rows, err := list(ctx, tx, "audit entry", scanAuditRow, "SELECT "+auditRowColumns+" FROM audit WHERE "+strings.Join(conds, " OR ")+" ORDER BY id", w.args...)
	if err != nil {
		return 0, "", err
	}
	sum := newErasureDigest()
	for _, r := range rows {
		about := r.object == "person" && p.Email != "" && r.of == p.Email || r.object == "request" && slices.Contains(refs, r.of)
		now, err := r.without(p, words, about)
		if err != nil {
			return 0, "", err
		}
		if now == nil {
			continue
		}
		e := erasureRow{r.id, p.ID, now.chained(nil)}
		sum.add(e)
		n++
		if err := tx.one(ctx, "audit entry", "UPDATE audit SET actor_name = $2, object_id = $3, detail = $4, erased = 1 WHERE id = $1", r.id, now.name, now.of, now.detail); err != nil {
			return 0, "", err
		}
		if err := tx.exec(ctx, "erasure", "INSERT INTO audit_erasure (audit_id, person_id, hash) VALUES ($1, $2, $3)", e.audit, e.person, e.hash); err != nil {
			return 0, "", err
		}
	}
	return n, sum.text(), nil
}

// without returns the entry without the person, nil where it has nothing of them. about says that it is about the person.
func (r auditRow) without(p domain.Person, words personWords, about bool) (*auditRow, error) {
	now := r
	if r.person == p.ID {
		now.name = words.label
	}
	now.name, now.of = words.eraseName(words.eraseAddress(now.name)), words.eraseAddress(now.of)
	var detail map[string]string
	if err := json.Unmarshal([]byte(r.detail), &detail); err != nil {
		return nil, fmt.Errorf("reading audit entry %d: %w", r.id, err)
	}
	for k, v := range detail {
		if detail[k] = words.eraseAddress(v); slices.Contains(nameKeys, k) {
			detail[k] = words.eraseName(detail[k])
		}
	}
	if about {
		for _, k := range personalKeys {
			if detail[k] != "" {
				detail[k] = words.label
			}
		}
	}
	text, err := asJSON(detail)
	if err != nil {
		return nil, err
	}
	if now.detail = text; now.name == r.name && now.of == r.of && text == r.detail {
		return nil, nil //nolint:nilnil // nothing of them is in it
	}
	return &now, nil
}

// erasures are checked at the end: their rows may be read before or after the entries.
type erasures struct {
	rows    []erasureRow     // by person, then by entry
	content map[int64][]byte // hash of the texts that erased entries have, by entry
	order   []erased         // the entries of erasures, in the chain's order
}

type erased struct {
	entry  int64
	person string // the object of the entry
	digest string
}

func (e *erasures) note(r auditRow) {
	if r.erased {
		if e.content == nil {
			e.content = map[int64][]byte{}
		}
		e.content[r.id] = r.chained(nil)
	}
	if r.action == domain.ActionPersonErased {
		var detail map[string]string
		_ = json.Unmarshal([]byte(r.detail), &detail) // without a digest it does not fit
		e.order = append(e.order, erased{r.id, r.of, detail["digest"]})
	}
}

// fault returns the first entry that was changed otherwise than an erasure of the chain says; 0 for none.
func (e *erasures) fault() int64 {
	sums, last := map[string]erasureDigest{}, map[int64][]byte{}
	byPerson := map[string][]erasureRow{}
	for _, r := range e.rows {
		key := domain.ErasedPersonRef(r.person)
		if _, known := sums[key]; !known {
			sums[key] = newErasureDigest()
		}
		sums[key].add(r)
		byPerson[key] = append(byPerson[key], r)
	}
	first := int64(0)
	bad := func(id int64) {
		if first == 0 || id < first {
			first = id
		}
	}
	for _, o := range e.order {
		sum, known := sums[o.person]
		if !known {
			sum = newErasureDigest()
		}
		if sum.text() != o.digest {
			bad(o.entry)
			continue
		}
		for _, r := range byPerson[o.person] {
			last[r.audit] = r.hash
		}
	}
	for id, hash := range e.content {
		if !bytes.Equal(last[id], hash) {
			bad(id)
		}
	}
	return first
}
