package fleet

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// trickle gives one byte after each pause.
type trickle struct{ left []byte }

func (t *trickle) Read(p []byte) (int, error) {
	if len(t.left) == 0 {
		return 0, io.EOF
	}
	<-time.After(40 * time.Millisecond)
	n := copy(p[:1], t.left)
	t.left = t.left[n:]
	return n, nil
}

// A body that comes byte by byte, with pauses that are short enough each, does not hold its place for long.
func TestABodyThatTricklesIsGivenUp(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.BodyIdle = 200 * time.Millisecond })
	const push = "/v1/fleet/push-object"
	body := bodyFor(push, ownID, nil, 100)
	r := f.request(push, body)
	r.Body = io.NopCloser(&trickle{left: body})
	began := time.Now()
	if status, text := f.do(r); status != 400 {
		t.Errorf("%d %s", status, text)
	}
	if took := time.Since(began); took > 40*time.Millisecond*time.Duration(len(body)) {
		t.Errorf("it was given up after %v", took)
	}
	if status, _ := f.do(f.request(push, bytes.Clone(body))); status != 200 {
		t.Errorf("the next one: %d", status)
	}
}
