package safehttp

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// IDHeader is the response header with a request's id, which is also in each line of the log about the request.
const IDHeader = "X-Request-Id"

var requestSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{Name: "blossomtune_http_request_seconds",
	Help:    "Time to answer requests for pages and the API, by surface and class of status. Event streams are left out.",
	Buckets: prometheus.DefBuckets},
	[]string{"surface", "status"})

type idKey struct{}

// ID returns the id of the request that ctx belongs to, "" where [Logged] has not given one.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// Logged gives each request an id, which goes into the answer's headers, and logs and measures the request when it has ended. A line holds
// no query,
// no secret and no e-mail address. What machines ask all the time is logged at the level debug only.
func Logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.ToLower(rand.Text()[:10])
		w.Header().Set(IDHeader, id)
		r = r.WithContext(context.WithValue(r.Context(), idKey{}, id))
		seen, began := &counted{ResponseWriter: w}, time.Now()
		broken := true // a handler that breaks the answer off panics
		defer func() {
			took := time.Since(began)
			status := seen.status
			if status == 0 {
				status = http.StatusOK
			}
			if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
				requestSeconds.WithLabelValues(surfaceOf(r.URL.Path), strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
			}
			level := slog.LevelInfo
			switch {
			case status >= http.StatusInternalServerError || broken:
				level = slog.LevelWarn
			case routine(r.URL.Path):
				level = slog.LevelDebug
			}
			log.Log(r.Context(), level, "request", "request", id, "method", r.Method, "path", shownPath(r.URL.Path), "status", status,
				"bytes", seen.bytes, "ms", took.Milliseconds(), "broken_off", broken)
		}()
		next.ServeHTTP(seen, r)
		broken = false
	})
}

func surfaceOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/api/"):
		return "api"
	case routine(path):
		return "other"
	}
	return "pages"
}

// routine reports whether machines ask for a path all the time.
func routine(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics" || strings.HasPrefix(path, "/assets/") ||
		strings.HasPrefix(path, "/api/v1/agent/")
}

// secretive are parts of paths that are not logged: what follows links with a secret, addresses, and anything that could be a secret.
var secretive = regexp.MustCompile(`^(/(?:signin|setup|share|i)/)[^/]+|[^/]*@[^/]*|[^/]*%40[^/]*|[0-9A-Za-z_\-.~]{41,}`)

const longestPath = 200

// shownPath returns a path as it can be logged.
func shownPath(path string) string {
	path = secretive.ReplaceAllString(path, "$1…")
	if len(path) > longestPath {
		path = path[:longestPath] + "…"
	}
	return path
}

// counted notes the status and the size of an answer.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the status; an informational one is not the answer's.
func (c *counted) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom leaves files to the connection.
func (c *counted) ReadFrom(from io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, from)
	c.bytes += n
	return n, err
}

// Unwrap lets [http.ResponseController] find the rest.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }
