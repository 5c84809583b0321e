package observe

import (
	"bytes"
	"io"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// MaxDecoded is the size of the largest object, in bytes, that is read whole.
	MaxDecoded = 256 << 10
	// Head is how much of a larger one tells what it is.
	Head = 2 * headerSlack

	headerSlack = 4 << 10 // protobuf and object header around it
)

// recordIn tells what record of numbers an answer to pull-object has, and where its items begin.
func recordIn(head []byte) (kind string, at int) {
	const content = 3 // of PullObjectResponse
	for at < len(head) {
		num, typ, n := protowire.ConsumeTag(head[at:])
		if n < 0 {
			return "", 0
		}
		at += n
		if num == content && typ == protowire.BytesType {
			if _, n = protowire.ConsumeVarint(head[at:]); n < 0 {
				return "", 0
			}
			at += n
			break
		}
		if n = protowire.ConsumeFieldValue(num, typ, head[at:]); n < 0 {
			return "", 0
		}
		at += n
	}
	kind, skip := recordAt(head[at:])
	if kind == "" {
		return "", 0
	}
	return kind, at + skip
}

// recordAt is recordIn for the object itself.
func recordAt(head []byte) (kind string, at int) {
	name, _, ok := bytes.Cut(head, []byte{0})
	if !ok || len(name) > headerSlack {
		return "", 0
	}
	first, _, _ := bytes.Cut(name, []byte{' '})
	if kind = string(first); kind != "MetricRecord" && kind != "ConfigRecord" {
		return "", 0
	}
	return kind, len(name) + 1
}

// maxItem is the largest item of a record that is decoded: a list of some 130,000 numbers.
const maxItem = 1 << 20

// sieve reads a record that passes by: it decodes the first items and counts the others.
type sieve struct {
	in     io.Reader
	left   int64 // of the answer; negative: until it ends
	skip   int64 // bytes to let pass
	rest   []byte
	config bool
	broken bool // it is no record after all
	o      object
	done   func(object) // called before the last bytes are handed on
}

// Read passes on.
func (s *sieve) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if s.left -= int64(n); !s.broken {
		s.take(p[:n])
	}
	if (s.left == 0 || err != nil) && s.done != nil {
		s.done(s.o)
		s.done = nil
	}
	return n, err
}

func (s *sieve) take(b []byte) {
	s.rest = append(s.rest, b...)
	for !s.broken {
		pass := min(s.skip, int64(len(s.rest)))
		s.rest, s.skip = s.rest[pass:], s.skip-pass
		if s.skip > 0 || !s.item() {
			break
		}
	}
	s.rest = bytes.Clone(s.rest) // what has passed is not kept
}

// item takes the next item off; it reports false when more has to come first.
func (s *sieve) item() bool {
	const items = 1 // of MetricRecord and ConfigRecord
	num, typ, n := protowire.ConsumeTag(s.rest)
	if n < 0 {
		return s.end(len(s.rest) >= 10)
	}
	size, m := protowire.ConsumeVarint(s.rest[n:])
	if m < 0 || num != items || typ != protowire.BytesType {
		return s.end(m >= 0 || len(s.rest)-n >= 10)
	}
	whole := n + m + int(min(size, 1<<40))
	if len(s.o.metric)+len(s.o.config) >= maxPerReply || size > maxItem {
		s.o.beyond++
		s.skip = int64(whole)
		return true
	}
	if len(s.rest) < whole {
		return false
	}
	s.decode(s.rest[n+m : whole])
	s.rest = s.rest[whole:]
	return true
}

func (s *sieve) end(broken bool) bool {
	s.broken = broken
	return false
}

func (s *sieve) decode(item []byte) {
	if s.config {
		var it flwrpb.ConfigRecord_Item
		if proto.Unmarshal(item, &it) == nil {
			s.o.addConfig(&it)
		}
		return
	}
	var it flwrpb.MetricRecord_Item
	if proto.Unmarshal(item, &it) == nil {
		s.o.addMetric(&it)
	}
}
