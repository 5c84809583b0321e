package runtimeproxy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// InProcess returns a transport that gives each request to a handler of this process. Bodies stream; a request whose context ends, or
// whose answer is closed, is cancelled.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ h http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in, out := io.Pipe()
	w := &inProcessAnswer{header: http.Header{}, body: out, ready: make(chan struct{})}
	go func() {
		defer func() {
			if p := recover(); p != nil { // as net/http, a handler that panics ends its own request alone
				_ = out.CloseWithError(fmt.Errorf("the handler panicked: %v", p))
				w.fail = fmt.Errorf("the handler panicked: %v", p)
			}
			if r.Body != nil {
				_ = r.Body.Close()
			}
			w.WriteHeader(http.StatusOK)
			_ = out.Close()
		}()
		t.h.ServeHTTP(w, r)
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		_ = in.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	if w.fail != nil {
		return nil, w.fail
	}
	length := int64(-1)
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	return &http.Response{Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: in, ContentLength: length, Request: r}, nil
}

// inProcessAnswer is the answer while the handler writes it.
type inProcessAnswer struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{} // closed when status and header stand
	status int
	sent   http.Header
	fail   error
}

// Header implements http.ResponseWriter.
func (w *inProcessAnswer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *inProcessAnswer) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

// Write implements http.ResponseWriter.
func (w *inProcessAnswer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
