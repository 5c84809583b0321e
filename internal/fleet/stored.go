package fleet

import (
	"bytes"
	"io"
	"net/http"

	"google.golang.org/protobuf/encoding/protowire"
)

// A SuperLink that dies between storing an object and saying so leaves a SuperNode that sends the object again, is told that
// nobody waits for it (flwr 1.42, supercore/corestate/sql_corestate.py), and gives its work up. So when the answer is "not
// stored", the gateway looks whether the object is there: if so, that is the answer.

// healStored turns "not stored" into "stored" for an object that the SuperLink has.
func (c *call) healStored(res *http.Response) {
	const stored = 1 // of PushObjectResponse; false is left out
	fields, ok := smallAnswer(res)
	if !ok || fields[stored] || !c.hasObject(res.Request) {
		return
	}
	body := protowire.AppendVarint(protowire.AppendTag(nil, stored, protowire.VarintType), 1)
	_ = res.Body.Close()
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Set("Content-Length", "2")
}

// hasObject asks the SuperLink for the object that the call pushed. Node, run and object id have the same fields in both requests.
func (c *call) hasObject(pushed *http.Request) bool {
	ask := objectFields(c.head)
	if ask == nil {
		return false
	}
	r := pushed.Clone(c.r.Context())
	r.URL.Path, r.Body, r.ContentLength = "/v1/fleet/pull-object", io.NopCloser(bytes.NewReader(ask)), int64(len(ask))
	res, err := c.up.tr.RoundTrip(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	// Found and available come first, and are true: four bytes. The content after them is not needed.
	head := make([]byte, 4)
	if _, err := io.ReadFull(res.Body, head); err != nil || res.StatusCode != http.StatusOK {
		return false
	}
	return bytes.Equal(head, []byte{1 << 3, 1, 2 << 3, 1})
}

// objectFields returns the part of a push-object request that names node, run and object.
func objectFields(head []byte) []byte {
	at, seen := 0, 0
	for at < len(head) {
		num, typ, n := protowire.ConsumeTag(head[at:])
		if n < 0 || num > 3 {
			break
		}
		v := protowire.ConsumeFieldValue(num, typ, head[at+n:])
		if v < 0 {
			return nil
		}
		at, seen = at+n+v, seen+1
	}
	if seen != 3 {
		return nil
	}
	return head[:at]
}
