package fleet

import (
	"bytes"
	"net/http"
	"testing"
)

// What a SuperLink keeps of a message has a size: nothing larger goes there.
func TestWhatAMessageSaysOfItselfIsBounded(t *testing.T) {
	f := newFixture(t, nil)
	const push = "/v1/fleet/push-messages"
	withGroup := func(size int) []byte {
		meta := bytesField(varint(nil, 1, 99), 2, []byte("message"))
		meta = bytesField(varint(varint(meta, 3, ownID), 4, 1), 6, bytes.Repeat([]byte{'g'}, size))
		return bytesField(bytesField(nil, 1, nodeMsg(ownID)), 2, bytesField(nil, 1, meta))
	}
	many := func(n int) []byte {
		b := bytesField(nil, 1, nodeMsg(ownID))
		for range n {
			b = bytesField(b, 2, message(ownID))
		}
		return b
	}
	f.passes(t, "a long group", f.request(push, withGroup(maxMetadata-200)))
	f.passes(t, "many messages", f.request(push, many(maxMessages)))
	f.refuses(t, "a group that is too long", f.request(push, withGroup(maxMetadata)), http.StatusRequestEntityTooLarge)
	f.refuses(t, "too many messages", f.request(push, many(maxMessages+1)), http.StatusRequestEntityTooLarge)
}
