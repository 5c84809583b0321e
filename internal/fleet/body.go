package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/encoding/protowire"
)

// kind is what a field means for the identity of the caller.
type kind int

const (
	isNodeID  kind = iota // a node id, which must be the key's own
	isKey                 // a public key, which must be the one of the headers
	isNode                // a message with a node id
	isMessage             // a message to look into
)

// field is how a field of a body is checked.
type field struct {
	kind kind
	sub  schema
	must bool // must be there: protobuf reads a missing number as 0, which is nobody's
	many bool // may be repeated; others not, as readers differ in which one counts
	most int  // bytes that it may have; 0: as many as the body
}

// errLarge: a part of a body is larger than what any SuperNode sends. The SuperLink keeps what it gets.
var errLarge = &refusal{status: http.StatusRequestEntityTooLarge, detail: "A message's description is too large."}

// maxMetadata bounds what a message says of itself: ids, its type and group, and times.
const maxMetadata = 16 << 10

// maxMessages bounds the messages of one call. flower-supernode and agents send one.
const maxMessages = 64

// schema says which fields of a message are checked, with numbers below 16; others only have to be well formed.
type schema map[protowire.Number]field

// owner is who a body may speak for.
type owner struct {
	nodeID uint64
	pem    []byte
}

var errForeign = errors.New("a node id or key in the body is not the key's own")

// check walks a whole message strictly: one reading of it only, the SuperLink's.
func (s schema) check(b []byte, o owner) error {
	var seen uint16 // a bit for each listed field
	repeated := 0
	for len(b) > 0 {
		num, typ, n, err := tag(b)
		if err != nil {
			return err
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 || typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			return fmt.Errorf("field %d is malformed", num)
		}
		f, listed := s[num]
		if listed {
			if seen&(1<<num) != 0 && !f.many {
				return fmt.Errorf("field %d is given twice", num)
			}
			if f.many {
				repeated++
			}
			if repeated > maxMessages {
				return errLarge
			}
			if err := f.check(typ, b[:n], o); err != nil {
				return fmt.Errorf("field %d: %w", num, err)
			}
			seen |= 1 << num
		}
		b = b[n:]
	}
	return s.complete(seen)
}

func (s schema) complete(seen uint16) error {
	for num, f := range s {
		if f.must && seen&(1<<num) == 0 {
			return fmt.Errorf("field %d is missing", num)
		}
	}
	return nil
}

// tag reads a field's number and type; longer encodings than needed are refused, as readers differ in them.
func tag(b []byte) (protowire.Number, protowire.Type, int, error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return 0, 0, 0, fmt.Errorf("malformed tag: %w", protowire.ParseError(n))
	}
	if n != protowire.SizeTag(num) {
		return 0, 0, 0, errors.New("overlong tag")
	}
	return num, typ, n, nil
}

func (f field) check(typ protowire.Type, value []byte, o owner) error {
	if f.kind == isNodeID {
		id, n := protowire.ConsumeVarint(value)
		if typ != protowire.VarintType || n != protowire.SizeVarint(id) {
			return errors.New("not a plain number")
		}
		if id != o.nodeID || id == 0 {
			return errForeign
		}
		return nil
	}
	if typ != protowire.BytesType {
		return errors.New("not a message or bytes")
	}
	inner, n := protowire.ConsumeBytes(value)
	if n < 0 || n != len(value) || n != protowire.SizeBytes(len(inner)) {
		return errors.New("malformed length")
	}
	if f.most > 0 && len(inner) > f.most {
		return errLarge
	}
	if f.kind == isKey {
		if len(o.pem) == 0 || !bytes.Equal(inner, o.pem) {
			return errForeign
		}
		return nil
	}
	return f.sub.check(inner, o)
}

const (
	wholeUpTo = 64 << 10 // bodies up to this are read and checked whole
	headMost  = 4 << 10  // of a streamed body, before its large field
	tailMost  = 4 << 10  // and after it
)

// check reads as much of the body as is needed to know that it speaks for the key alone, and returns what to send upstream:
// all of it, or a stream whose rest is checked as it passes. A stream that proves wrong at its end is broken off there, before
// it is complete, so that the SuperLink takes nothing of it.
func (c *call) check() (io.Reader, error) {
	o := owner{nodeID: c.key.NodeID, pem: c.signer.PublicPEM}
	size := c.r.ContentLength
	if size > wholeUpTo && c.meth.content != 0 {
		return c.checkHead(o, size)
	}
	if size > wholeUpTo {
		if err := c.g.buffers.Acquire(c.r.Context(), size); err != nil {
			return nil, again("Too many large requests at once.", 5).because(err)
		}
		c.release = func() { c.g.buffers.Release(size) }
	}
	whole := make([]byte, size)
	if _, err := io.ReadFull(c.body, whole); err != nil {
		return nil, incomplete(err)
	}
	if err := c.meth.body.check(whole, o); err != nil {
		return nil, badBody(err)
	}
	c.head, c.whole = whole[:min(len(whole), headMost)], whole
	return bytes.NewReader(whole), nil
}

func incomplete(err error) error {
	return &refusal{status: 400, code: 1003, detail: "The body did not arrive whole.", err: err}
}

func badBody(err error) error {
	if errors.Is(err, errLarge) {
		return errLarge
	}
	if errors.Is(err, errForeign) {
		return refused("The request speaks for another SuperNode than its key's.", err)
	}
	return refused("The request's body is malformed.", err)
}

// checkHead checks what is before the large field and finds where that ends.
func (c *call) checkHead(o owner, size int64) (io.Reader, error) {
	head := make([]byte, headMost)
	if _, err := io.ReadFull(c.body, head); err != nil {
		return nil, incomplete(err)
	}
	c.head = head
	at := 0
	for {
		num, typ, n, err := tag(head[at:])
		if err != nil {
			return nil, badBody(err)
		}
		if num == c.meth.content {
			if typ != protowire.BytesType {
				return nil, badBody(errors.New("the content is no bytes"))
			}
			if err := c.meth.body.check(head[:at], o); err != nil {
				return nil, badBody(err)
			}
			at += n
			break
		}
		v := protowire.ConsumeFieldValue(num, typ, head[at+n:])
		if v < 0 {
			return nil, badBody(errors.New("the fields before the content are malformed or too long"))
		}
		at += n + v
	}
	length, n := protowire.ConsumeVarint(head[at:])
	if n < 0 || n != protowire.SizeVarint(length) {
		return nil, badBody(errors.New("malformed length"))
	}
	contentEnd := int64(at+n) + int64(min(length, 1<<40))
	if contentEnd > size || size-contentEnd > tailMost || contentEnd < int64(len(head)) {
		return nil, badBody(errors.New("the content's length does not fit the body"))
	}
	// In the tail nothing may speak for anybody: not even a second, equal node.
	tail := &tailReader{in: c.body, size: size - contentEnd, taken: append(keys(c.meth.body), c.meth.content)}
	return io.MultiReader(bytes.NewReader(head), io.LimitReader(c.body, contentEnd-int64(len(head))), tail), nil
}

func keys(s schema) []protowire.Number {
	out := make([]protowire.Number, 0, len(s)+1)
	for num := range s {
		out = append(out, num)
	}
	return out
}

// tailReader reads what follows the large field as one piece and gives it on only if it is harmless.
type tailReader struct {
	in    io.Reader
	size  int64
	taken []protowire.Number
	rest  *bytes.Reader
	err   error
}

// Read gives the checked tail.
func (t *tailReader) Read(p []byte) (int, error) {
	if t.rest == nil && t.err == nil {
		t.fill()
	}
	if t.err != nil {
		return 0, t.err
	}
	return t.rest.Read(p)
}

func (t *tailReader) fill() {
	b := make([]byte, t.size)
	if _, err := io.ReadFull(t.in, b); err != nil {
		t.err = incomplete(err)
		return
	}
	none := schema{}
	for _, num := range t.taken {
		none[num] = field{kind: isKey} // with no key to match, any value is foreign
	}
	if err := none.check(b, owner{}); err != nil {
		t.err = badBody(err)
		return
	}
	t.rest = bytes.NewReader(b)
}
