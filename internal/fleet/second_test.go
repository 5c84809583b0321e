package fleet

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// namedNodes reads a body as a lenient reader would, and collects every number in a place of a node id.
func namedNodes(s schema, b []byte) map[uint64]bool {
	out := map[uint64]bool{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return out
		}
		b = b[n:]
		f, listed := s[num]
		switch v := protowire.ConsumeFieldValue(num, typ, b); {
		case v < 0:
			return out
		case listed && typ == protowire.VarintType && f.kind == isNodeID:
			id, _ := protowire.ConsumeVarint(b)
			out[id] = true
			b = b[v:]
		case listed && typ == protowire.BytesType && f.sub != nil:
			inner, _ := protowire.ConsumeBytes(b)
			for id := range namedNodes(f.sub, inner) {
				out[id] = true
			}
			b = b[v:]
		default:
			b = b[v:]
		}
	}
	return out
}

func TestNamedNodesFindsThem(t *testing.T) {
	for path, m := range methods {
		if m.body[1].kind == isKey {
			continue
		}
		if ids := namedNodes(m.body, bodyFor(path, otherID, nil, 1)); !ids[otherID] || len(ids) != 1 {
			t.Errorf("%s: %v", path, ids)
		}
	}
}
