package fleet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Flower's SuperLink writes each heartbeat into its database, 6 ms of its one interpreter lock, and a SuperNode gives up one that takes
// 5 s: from 2,000 idle SuperNodes on nothing else was done. So the gateway answers heartbeats itself and passes on about one of three, in
// which it announces a longer interval. The SuperLink takes a SuperNode for online for twice the interval that was announced, after the
// last heartbeat that it got. With Flower's 30 s it gets one every 40 to 63 s, and 45 s are announced: it finds a SuperNode offline 50 to
// 90 s after the last heartbeat that came here, instead of 60 s.

// beaten is the last heartbeat of a SuperNode that its SuperLink took.
type beaten struct {
	up    *upstream
	at    time.Time
	every float64 // seconds that the SuperNode announced
}

const (
	leastAnnounced = 10.0 // seconds between heartbeats that Flower allows (flwr 1.42, common/constant.py)
	mostAnnounced  = 1800.0
	stretched      = 1.5 // of what is announced to the SuperLink
	patience       = 2   // such intervals the SuperLink waits
)

// passEvery is how long after one heartbeat was passed on the next one is.
func (b beaten) passEvery() time.Duration {
	return time.Duration(b.every * 4 / 3 * float64(time.Second))
}

// until is when the SuperLink takes the SuperNode for offline.
func (b beaten) until() time.Time {
	return b.at.Add(time.Duration(b.every * stretched * patience * float64(time.Second)))
}

// heartbeat answers a heartbeat to Flower's SuperLink.
func (c *call) heartbeat(r *http.Request) (*http.Response, error) {
	every, body := announce(c.whole)
	if body == nil {
		return c.send(r)
	}
	now, n := c.g.o.Clock(), c.node
	n.mu.Lock()
	last := n.beat
	n.mu.Unlock()
	known := last.up == c.up && last.every == every && !now.Before(last.at)
	if known && now.Sub(last.at) < last.passEvery() {
		return alive(r), nil
	}
	c.whole, c.beat = body, beaten{up: c.up, every: every}
	known = known && now.Before(last.until())
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if known { // one that is slow does not let its SuperNodes wait until they give up
		ctx, cancel = context.WithTimeout(ctx, beatWait)
	}
	res, err := c.send(r.WithContext(ctx))
	switch {
	case !known || r.Context().Err() != nil:
	case err != nil:
		cancel()
		return alive(r), nil //nolint:nilerr // the call goes on without this one
	case res.StatusCode >= http.StatusInternalServerError:
		drain(res)
		cancel()
		return alive(r), nil
	}
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = &closing{res.Body, cancel}
	return res, nil
}

// noteBeat keeps that the SuperLink took a heartbeat that was passed on, also where the SuperNode waits no longer.
func (c *call) noteBeat(res *http.Response) {
	const success = 1 // of SendNodeHeartbeatResponse; false is left out
	fields, ok := smallAnswer(res)
	if c.beat.up == nil || !ok {
		return
	}
	at := c.g.o.Clock()
	n := c.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.beat = (beaten{}); fields[success] && !n.byeAt.After(c.began) {
		n.beat = beaten{up: c.up, at: at, every: c.beat.every}
	}
}

// announce returns the interval that a heartbeat announces, and the heartbeat with a longer one; nil for one of another form.
func announce(whole []byte) (every float64, longer []byte) {
	const node, interval = 1, 2 // of SendNodeHeartbeatRequest
	at := -1
	for i := 0; i < len(whole); {
		num, typ, n := protowire.ConsumeTag(whole[i:])
		if n < 0 {
			return 0, nil
		}
		v := protowire.ConsumeFieldValue(num, typ, whole[i+n:])
		switch {
		case v < 0, num != node && num != interval:
			return 0, nil
		case num == interval && (typ != protowire.Fixed64Type || at >= 0):
			return 0, nil
		case num == interval:
			at = i + n
		}
		i += n + v
	}
	if at < 0 {
		return 0, nil
	}
	every = math.Float64frombits(binary.LittleEndian.Uint64(whole[at:]))
	if !(every >= leastAnnounced && every*stretched <= mostAnnounced) { // NaN neither
		return 0, nil
	}
	longer = bytes.Clone(whole)
	binary.LittleEndian.PutUint64(longer[at:], math.Float64bits(every*stretched))
	return every, longer
}

// alive is a SuperLink's answer to a heartbeat that it took.
func alive(r *http.Request) *http.Response {
	body := []byte{1 << 3, 1}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/protobuf"}, "Content-Length": {strconv.Itoa(len(body))}},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}
}
