package fleetload

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// superLink answers every Fleet call, and keeps what it was asked.
type superLink struct {
	t      *testing.T
	status func(path string, n int) int // of the n-th call of a path; 0 or nil: 200
	hold   time.Duration                // of polls

	mu     sync.Mutex
	counts map[string]int
	used   map[string]bool   // signed times
	conns  map[string]string // the last path by remote address
	agents bool              // each connection is to be bound by its first request, else none
}

func serveFake(t *testing.T, l *superLink) Target {
	t.Helper()
	l.t, l.counts, l.used, l.conns = t, map[string]int{}, map[string]bool{}, map[string]string{}
	s := httptest.NewTLSServer(l)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return Target{URL: s.URL, Roots: roots}
}

func (l *superLink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/v1/fleet/")
	auth, err := wire.VerifyHeaders(r.Header, time.Now())
	l.mu.Lock()
	n := l.counts[path]
	l.counts[path]++
	_, again := l.conns[r.RemoteAddr]
	if bound := r.Header.Get(wire.HeaderChannel); l.agents == again && bound != "" || l.agents && !again && !binds(r, bound) {
		l.t.Errorf("%s: the connection is bound by %q; a further request on it: %v", path, bound, again)
	}
	l.conns[r.RemoteAddr] = path
	signed := auth.Fingerprint + auth.Timestamp.String()
	if err != nil || l.used[signed] {
		l.t.Errorf("%s: %v; a repeated signature: %v", path, err, l.used[signed])
	}
	l.used[signed] = true
	l.mu.Unlock()
	if l.status != nil {
		if status := l.status(path, n); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	var out proto.Message
	switch path {
	case "activate-node":
		out = &flwrpb.ActivateNodeResponse{NodeId: 7}
	case "send-node-heartbeat":
		out = &flwrpb.SendNodeHeartbeatResponse{Success: true}
	case "pull-messages":
		if l.hold > 0 {
			w.WriteHeader(http.StatusProcessing) // informational
			select {
			case <-time.After(l.hold):
			case <-r.Context().Done():
			}
		}
		out = &flwrpb.PullMessagesResponse{}
	default:
		out = &flwrpb.DeactivateNodeResponse{}
	}
	body, _ := proto.Marshal(out)
	_, _ = w.Write(body)
}

func (l *superLink) count(path string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[path]
}

func keysFor(t *testing.T, n int) []*Key {
	t.Helper()
	keys, err := NewKeys(n, elliptic.P256())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A 503 is repeated; after a 500 on a poll, or a 401 on a heartbeat, flwr's SuperNode exits and so does a node.
func TestWhatEndsANode(t *testing.T) {
	for name, c := range map[string]struct {
		path            string
		status          int
		patient         bool
		left, heartless int
	}{
		"activation 503":        {"activate-node", 503, false, 0, 0},
		"poll 500":              {"pull-messages", 500, false, 1, 0},
		"poll 500, patient":     {"pull-messages", 500, true, 0, 0},
		"poll 403":              {"pull-messages", 403, false, 0, 0},
		"heartbeat 401":         {"send-node-heartbeat", 401, false, 1, 0},
		"heartbeat 500":         {"send-node-heartbeat", 500, false, 0, 1},
		"heartbeat 504":         {"send-node-heartbeat", 504, false, 0, 0},
		"activation 412 (2004)": {"activate-node", 412, false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := make(chan struct{})
			l := &superLink{status: func(path string, n int) int {
				if path != c.path || n > 0 {
					return 0
				}
				close(failed)
				return c.status
			}}
			f, err := Start(t.Context(), Options{Target: serveFake(t, l), Keys: keysFor(t, 1), Duration: 30 * time.Second, Patient: c.patient})
			if err != nil {
				t.Fatal(err)
			}
			<-failed
			settled := func(r *Report) bool {
				return r.Left == c.left && int(r.Heartbeats.Stopped) == c.heartless && (c.left > 0 || c.heartless > 0 || l.count(c.path) > 1)
			}
			for r := f.Report(); !settled(r); r = f.Report() {
				if r.Seconds > 25 || !sleep(t.Context(), 20*time.Millisecond) {
					t.Fatalf("%+v", r)
				}
			}
			if r := f.Stop(); r.Failures[c.path+" "+kindOf(&statusError{status: c.status})] != 1 || r.Left != c.left {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestOnlyLoopbackIsLoaded(t *testing.T) {
	for url, want := range map[string]domain.Code{"https://192.0.2.7:443": domain.Forbidden, "https://[2001:db8::1]": domain.Forbidden,
		"ftp://localhost": domain.Invalid,
		"localhost:80":    domain.Invalid, "": domain.Invalid} {
		if _, err := Start(t.Context(), Options{Target: Target{URL: url}, Keys: keysFor(t, 1),
			Duration: time.Second}); domain.CodeOf(err) != want {
			t.Errorf("%q: %v", url, err)
		}
		if _, err := NewGrid(t.Context(), Target{URL: url}, 1, "x"); domain.CodeOf(err) != want {
			t.Errorf("grid of %q: %v", url, err)
		}
	}
}

func TestALoadTestIsBounded(t *testing.T) {
	good := Options{Target: Target{URL: "http://127.0.0.1:1"}, Keys: keysFor(t, 1), Duration: time.Second}
	for what, change := range map[string]func(*Options){
		"no nodes":       func(o *Options) { o.Keys = nil },
		"too many nodes": func(o *Options) { o.Keys = make([]*Key, MaxNodes+1) },
		"no end":         func(o *Options) { o.Duration = 0 },
		"too long":       func(o *Options) { o.Duration = MaxDuration + 1 },
		"few objects":    func(o *Options) { o.Objects = MinObjects - 1 },
		"large arrays":   func(o *Options) { o.ObjectBytes = MaxObjectBytes + 1 },
	} {
		o := good
		change(&o)
		if _, err := Start(t.Context(), o); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	r, err := Run(t.Context(), good) // nobody listens there
	if err != nil || r.Online != 0 || r.Missing != 1 || r.Failures["activate-node refused"] == 0 {
		t.Errorf("%v: %+v", err, r)
	}
}

// Another certificate than the one that roots vouch for is refused, also when a known one came before.
func TestTheCertificateIsChecked(t *testing.T) {
	target := serveFake(t, &superLink{})
	target.Roots = x509.NewCertPool()
	r, err := Run(t.Context(), Options{Target: target, Keys: keysFor(t, 1), Duration: 2 * time.Second})
	if err != nil || r.Left != 1 || r.Failures["activate-node handshake"] != 1 {
		t.Errorf("%v: %+v", err, r)
	}
}

func TestKeysAreKeptInAFile(t *testing.T) {
	path, keys := filepath.Join(t.TempDir(), "keys"), keysFor(t, 3)
	if err := SaveKeys(path, keys); err != nil {
		t.Fatal(err)
	}
	again, err := LoadKeys(path)
	if err != nil || len(again) != 3 || string(again[2].PublicPEM) != string(keys[2].PublicPEM) {
		t.Errorf("%v: %d keys", err, len(again))
	}
}

// A content has the number of objects that was asked for, and none of a reply's own is that of another.
func TestContents(t *testing.T) {
	for _, n := range []int{MinObjects, 4, 5, 6, 7, 12, 13, 100} {
		m := newModel(n, 4096)
		a, b := m.make(1), m.make(2)
		if len(a.parts)+1 != n {
			t.Errorf("%d objects are %d", n, len(a.parts)+1)
		}
		if a.tree.GetObjectId() == b.tree.GetObjectId() {
			t.Errorf("two contents of %d objects are the same", n)
		}
		ids, err := postOrder(a.tree)
		if err != nil || len(ids) != len(a.parts) || ids[len(ids)-1] != a.tree.GetObjectId() {
			t.Errorf("%d objects: %v, %d in order", n, err, len(ids))
		}
		for _, id := range ids {
			if wire.ObjectID(a.parts[id]) != id {
				t.Errorf("%d objects: one has another name", n)
			}
		}
	}
}

// The pauses between tries are random, grow to twenty seconds, and end with the context.
func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &Fleet{stats: newStats(), dial: &dialer{}}
		n := f.newNode(0, &Key{})
		n.sign = func([]byte) ([]byte, error) { return nil, errors.New("broken") }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := n.persist(ctx, "x", &flwrpb.Node{}, &flwrpb.Node{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if got := f.stats.retries.Load(); got < 40 || got > 120 { // about 10 s each
			t.Errorf("%d retries in ten minutes", got)
		}
	})
}

func TestQuantiles(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("nothing has a median")
	}
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(i+1)*time.Millisecond)
		h.add(all[i])
	}
	slices.Sort(all)
	for q, want := range map[float64]float64{0.5: 500, 0.99: 990, 1: 1000} {
		if got := h.quantile(q); got < want*0.99 || got > want*1.02 {
			t.Errorf("quantile %v is %v ms, want %v", q, got, want)
		}
	}
}
