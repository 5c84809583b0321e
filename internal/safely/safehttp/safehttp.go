// Package safehttp keeps a panic of a request handler to its request. It is apart from package safely because of the metrics that it counts
// in: a participant's program has none.
package safehttp

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"

	"blossomtune/internal/safely"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var requestPanics = promauto.NewCounterVec(prometheus.CounterOpts{Name: "blossomtune_request_panics_total",
	Help: "Requests that ended in a panic, by surface."}, []string{"surface"})

// Requests keeps a panic of a handler to its request. The panic is logged once with its stack and an id, and counted; answer then
// writes the surface's answer with the status 500 and shows the id. When the answer had begun, an event stream just ends, and anything
// else breaks off, because half a file must not look whole.
func Requests(log *slog.Logger, surface string, next http.Handler,
	answer func(w http.ResponseWriter, r *http.Request, id string)) http.Handler {
	requestPanics.WithLabelValues(surface) // 0 is there before the first panic, so that an alert sees the rise
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &begun{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the handler's own way to break an answer off
			}
			id := cmp.Or(ID(r.Context()), strings.ToLower(rand.Text()[:10]))
			log.Error("a request panicked", "request", id, "surface", surface, "method", r.Method, "path", pathOf(r), "panic", fmt.Sprint(v),
				"stack", string(debug.Stack()))
			requestPanics.WithLabelValues(surface).Inc()
			kind, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
			switch {
			case !seen.yes:
				for _, name := range ofTheAnswer {
					w.Header().Del(name)
				}
				if safely.Do(log, "answering a request that panicked", func() error { answer(seen, r, id); return nil }) != nil && !seen.yes {
					http.Error(w, "Something went wrong on the server (request "+id+").", http.StatusInternalServerError)
				}
			case kind != "text/event-stream":
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

// ofTheAnswer are headers that a handler may have set for the answer that did not come.
var ofTheAnswer = []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range", "Etag",
	"Last-Modified", "Cache-Control"}

// pathOf is the route of a request where it is known: the path itself may hold a secret.
func pathOf(r *http.Request) string {
	if _, path, found := strings.Cut(r.Pattern, "{"); found && path != "" {
		return r.Pattern
	}
	return r.URL.Path
}

// begun notes whether an answer has begun.
type begun struct {
	http.ResponseWriter
	yes bool
}

// WriteHeader notes the beginning; an informational status is none.
func (b *begun) WriteHeader(status int) {
	b.yes = b.yes || status >= 200
	b.ResponseWriter.WriteHeader(status)
}

// Write notes the beginning.
func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// ReadFrom leaves files to the connection.
func (b *begun) ReadFrom(from io.Reader) (int64, error) {
	b.yes = true
	return io.Copy(b.ResponseWriter, from)
}

// Unwrap lets [http.ResponseController] find the rest.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
