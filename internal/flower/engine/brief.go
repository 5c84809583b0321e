package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	briefBody = 64 << 10         // bodies up to this size are sent and received whole
	briefIdle = 10 * time.Second // how long an unused connection is kept
)

// brief makes short calls over HTTP/1.1. Each call writes its request and reads its answer itself, which costs half the processor time of
// [http.Transport], whose connections have two goroutines each. The request's header is not sent, since the SuperLink reads none of it.
type brief struct {
	dial func(ctx context.Context) (net.Conn, error)

	mu    sync.Mutex
	idle  []*briefConn // the one used last is at the end
	sweep *time.Timer  // while a connection is idle
}

type briefConn struct {
	net.Conn
	read  *bufio.Reader
	since time.Time // when it became idle
	used  bool
}

// call sends one request, whose body has at most briefBody bytes, and returns the answer. A connection that the keeper closed while it was
// idle is replaced; every Fleet call may be repeated.
func (b *brief) call(r *http.Request, key string) (*http.Response, error) {
	ctx := r.Context()
	request, err := briefRequest(r, key)
	if err != nil {
		return nil, err
	}
	for {
		c, err := b.acquire(ctx)
		if err != nil {
			return nil, err
		}
		old := c.used
		res, err := b.exchange(ctx, c, request)
		if err == nil || !old || ctx.Err() != nil || !closedBefore(err) {
			return res, err
		}
	}
}

// briefRequest encodes a request and reads its body to the end.
func briefRequest(r *http.Request, key string) ([]byte, error) {
	defer r.Body.Close()
	out := make([]byte, 0, 256+r.ContentLength)
	out = append(out, "POST "...)
	out = append(out, r.URL.EscapedPath()...)
	out = append(out, " HTTP/1.1\r\nHost: keeper\r\nContent-Type: application/protobuf\r\n"+keyHeader+": "...)
	out = append(out, key...)
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, r.ContentLength, 10)
	out = append(out, "\r\n\r\n"...)
	head := len(out)
	out = slices.Grow(out, int(r.ContentLength))[:head+int(r.ContentLength)]
	if _, err := io.ReadFull(r.Body, out[head:]); err != nil {
		return nil, err
	}
	return out, nil
}

// errUnanswered marks a connection that ended before the first byte of an answer.
type errUnanswered struct{ error }

func (e errUnanswered) Unwrap() error { return e.error }

func closedBefore(err error) bool {
	var e errUnanswered
	return errors.As(err, &e)
}

func (b *brief) acquire(ctx context.Context) (*briefConn, error) {
	b.mu.Lock()
	if n := len(b.idle); n > 0 {
		c := b.idle[n-1]
		b.idle = b.idle[:n-1]
		b.mu.Unlock()
		return c, nil
	}
	b.mu.Unlock()
	conn, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &briefConn{Conn: conn, read: bufio.NewReaderSize(conn, 4<<10)}, nil
}

// release keeps a connection for the next call.
func (b *brief) release(c *briefConn) {
	c.used, c.since = true, time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle = append(b.idle, c)
	if b.sweep == nil {
		b.sweep = time.AfterFunc(briefIdle, b.expire)
	}
}

// expire closes the connections that have been idle for too long, and comes again while there are others.
func (b *brief) expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := 0
	for old < len(b.idle) && time.Since(b.idle[old].since) >= briefIdle {
		_ = b.idle[old].Close()
		old++
	}
	b.idle = slices.Clone(b.idle[old:])
	if b.sweep = nil; len(b.idle) > 0 {
		b.sweep = time.AfterFunc(briefIdle-time.Since(b.idle[0].since), b.expire)
	}
}

// exchange sends a request over a connection and receives the answer: a small one whole, of another the beginning.
func (b *brief) exchange(ctx context.Context, c *briefConn, request []byte) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	res, err := c.roundTrip(request)
	if err != nil {
		stop()
		_ = c.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	if res.ContentLength < 0 || res.ContentLength > briefBody || res.Close {
		res.Body = &briefRest{ReadCloser: res.Body, conn: c, stop: stop}
		return res, nil
	}
	text := make([]byte, res.ContentLength)
	_, err = io.ReadFull(res.Body, text)
	if !stop() || err != nil { // the context's end may have set the deadline
		_ = c.Close()
	} else {
		b.release(c)
	}
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	return res, nil
}

func (c *briefConn) roundTrip(request []byte) (*http.Response, error) {
	if _, err := c.Write(request); err != nil {
		return nil, errUnanswered{err}
	}
	if _, err := c.read.Peek(1); err != nil {
		return nil, errUnanswered{err}
	}
	return http.ReadResponse(c.read, nil)
}

// briefRest is the rest of a large answer. Its connection serves no other call.
type briefRest struct {
	io.ReadCloser
	conn *briefConn
	stop func() bool
}

// Close ends the connection.
func (r *briefRest) Close() error {
	r.stop()
	return r.conn.Close()
}
