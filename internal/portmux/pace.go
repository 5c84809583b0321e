package portmux

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// Rates bound how slowly a client may send a request's body and take its answer. A zero value takes the default.
type Rates struct {
	Idle  time.Duration // the longest pause; 30 s
	Grace time.Duration // may be waited for a body in all, before PerSecond counts; 20 s
	Bytes int64         // of a body, that must come per second of waiting; 1 KiB
	Write time.Duration // for a piece of the answer to be taken; 30 s
}

func (r Rates) withDefaults() Rates {
	if r.Idle == 0 {
		r.Idle = 30 * time.Second
	}
	if r.Grace == 0 {
		r.Grace = 20 * time.Second
	}
	if r.Bytes == 0 {
		r.Bytes = 1 << 10
	}
	if r.Write == 0 {
		r.Write = writeWait
	}
	return r
}

// ErrSlow is returned when a request's body comes too slowly.
var ErrSlow = errors.New("the request's body comes too slowly")

// Pace limits the time that requests' bodies and answers may take. Only time spent waiting for the client counts; an event stream
// or a held answer has no limit.
func Pace(next http.Handler, r Rates) http.Handler {
	r = r.withDefaults()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		rc := http.NewResponseController(w)
		if req.Body != nil && req.Body != http.NoBody {
			b := &pacedBody{in: req.Body, rc: rc, rates: r, streams: req.ProtoMajor >= 2}
			req.Body = b
			b.pause(r.Idle)
			defer b.pause(time.Second)
		}
		if req.ProtoMajor >= 2 { // there the connection's own limit does not see one stream's answer
			w = &pacedWriter{ResponseWriter: w, rc: rc, wait: r.Write}
		}
		next.ServeHTTP(w, req)
	})
}

// Drain is for a handler that limits the reading of bodies itself: it limits only how long the server waits for a body that the handler
// does not read, such as one that it refused.
func Drain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Body != nil && req.Body != http.NoBody {
			b := &pacedBody{rc: http.NewResponseController(w), streams: req.ProtoMajor >= 2}
			b.pause(Rates{}.withDefaults().Idle)
			defer b.pause(time.Second)
		}
		next.ServeHTTP(w, req)
	})
}

type pacedBody struct {
	in     io.ReadCloser
	rc     *http.ResponseController
	rates  Rates
	n      int64
	waited time.Duration
	ended  bool

	streams bool // HTTP/2: the deadline is the stream's
}

// Read waits as long as the rates allow.
func (b *pacedBody) Read(p []byte) (int, error) {
	left := b.rates.Grace + time.Duration(b.n/b.rates.Bytes)*time.Second - b.waited
	if left <= 0 {
		return 0, ErrSlow
	}
	began := time.Now()
	_ = b.rc.SetReadDeadline(began.Add(min(left, b.rates.Idle))) // not supported in tests without a connection
	n, err := b.in.Read(p)
	b.waited += time.Since(began)
	b.n += int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, ErrSlow // the deadline stays: the connection is of no more use
	}
	b.ended = err != nil
	if b.ended || b.streams { // an expired deadline would end a handler that takes its time
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// pause limits how long the server itself waits for the rest of a body when the handler does not read it. On HTTP/2 it does not.
func (b *pacedBody) pause(d time.Duration) {
	if !b.ended && !b.streams {
		_ = b.rc.SetReadDeadline(time.Now().Add(d))
	}
}

// Close closes the body.
func (b *pacedBody) Close() error { return b.in.Close() }

// pacedWriter limits each write of a handler that sets no limit itself.
type pacedWriter struct {
	http.ResponseWriter
	rc   *http.ResponseController
	wait time.Duration
	own  bool // the handler sets limits itself
}

// Unwrap lets [http.ResponseController] find the rest.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes in pieces, each within the limit: HTTP/2 passes a large answer on as one write.
func (w *pacedWriter) Write(p []byte) (n int, err error) {
	for {
		m, err := w.piece(p[n:min(n+writeChunk, len(p))])
		if n += m; err != nil || n >= len(p) {
			return n, err
		}
	}
}

func (w *pacedWriter) piece(p []byte) (int, error) {
	defer w.limit()()
	return w.ResponseWriter.Write(p)
}

// FlushError flushes within the limit.
func (w *pacedWriter) FlushError() error {
	defer w.limit()()
	return w.rc.Flush()
}

// Flush flushes within the limit.
func (w *pacedWriter) Flush() { _ = w.FlushError() }

// SetWriteDeadline replaces the limit; the zero time brings it back.
func (w *pacedWriter) SetWriteDeadline(t time.Time) error {
	w.own = !t.IsZero()
	return w.rc.SetWriteDeadline(t)
}

func (w *pacedWriter) limit() (undo func()) {
	if w.own || w.rc.SetWriteDeadline(time.Now().Add(w.wait)) != nil {
		return func() {}
	}
	return func() { _ = w.rc.SetWriteDeadline(time.Time{}) }
}
