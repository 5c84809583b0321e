package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
	"blossomtune/internal/fleetload/flowerlink"
	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/store/linkstore"
	"blossomtune/internal/testflwr"
)

// engine is a SuperLink whose Fleet and Runtime APIs a handler serves, as SuperNodes and ServerApps see them.
type engine struct {
	name       string
	handler    http.Handler
	register   func(key *ecdsa.PrivateKey) uint64
	unregister func(node uint64)
	start      func(b bundle, config map[string]any) (run uint64, token string)
	stop       func(run uint64)
}

// bundle is an app.
type bundle struct {
	fab           []byte
	name, version string
}

// both returns Flower's SuperLink, a process, and ours, behind the gateway, which holds empty polls open for a while.
func both(t *testing.T, hold time.Duration) []*engine { return []*engine{flowers(t), ours(t, hold)} }

func flowers(t *testing.T) *engine {
	t.Helper()
	l, err := flowerlink.Start(t.Context(), testflwr.Venv(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	to, err := url.Parse(l.Target.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.Target.Roots}}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	return &engine{name: "Flower's", handler: proxy,
		register: func(key *ecdsa.PrivateKey) uint64 {
			id, err := l.Control.RegisterNode(t.Context(), publicPEM(t, key), "")
			check(t, err)
			return id
		},
		unregister: func(node uint64) { check(t, l.Control.UnregisterNode(t.Context(), node)) },
		start: func(b bundle, config map[string]any) (uint64, string) {
			run, token, err := l.Run(t.Context(), b.fab, config)
			check(t, err)
			return run, token
		},
		stop: func(run uint64) { check(t, l.Control.StopRun(t.Context(), run)) },
	}
}

// enrolled is what the gateway is told of keys, and where our SuperLink is.
type enrolled struct {
	mu        sync.Mutex
	keys      map[string]domain.NodeKey
	transport http.RoundTripper
}

func (e *enrolled) ByFingerprint(_ context.Context, fingerprint string) (domain.NodeKey, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if k, ok := e.keys[fingerprint]; ok {
		return k, nil
	}
	return domain.NodeKey{}, domain.Errorf(domain.NotFound, "There is no such key.")
}

func (e *enrolled) For(int64) (string, *tls.Config, bool) { return "", nil, false }
func (e *enrolled) Builtin(int64) http.RoundTripper       { return e.transport }
func (e *enrolled) change(fingerprint string, k domain.NodeKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys[fingerprint] = k
}

func (e *enrolled) revoke(node uint64) (fingerprint string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for f, k := range e.keys {
		if k.NodeID == node {
			k.RevokedAt = time.Now()
			e.keys[f], fingerprint = k, f
		}
	}
	return fingerprint
}

func ours(t *testing.T, hold time.Duration) *engine {
	t.Helper()
	store, err := linkstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "link.db"), 1)
	if err != nil {
		t.Fatal(err)
	}
	link, err := superlink.Open(t.Context(), superlink.Options{Dir: filepath.Join(t.TempDir(), "objects"), Store: store,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	keeper := httptest.NewServer(link.FleetHandler())
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", keeper.Listener.Addr().String())
	}}
	keys := &enrolled{keys: map[string]domain.NodeKey{}, transport: transport}
	// The rate and the rest are the gateway's own business; here only what it answers counts.
	gateway := fleet.New(fleet.Options{Keys: keys, Upstreams: keys, Hold: hold, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		link.Close()
		transport.CloseIdleConnections()
		keeper.Close()
		check(t, store.Close())
	})
	mux := http.NewServeMux()
	mux.Handle("/v1/fleet/", gateway)
	mux.Handle("/v1/runtime/", link.RuntimeHandler(nil))
	return &engine{name: "ours", handler: mux,
		register: func(key *ecdsa.PrivateKey) uint64 {
			public := publicPEM(t, key)
			id, err := link.Register(public, "", 0)
			check(t, err)
			_, fingerprint, err := wire.ParsePublicKey(public)
			check(t, err)
			keys.change(fingerprint, domain.NodeKey{ID: int64(id >> 1), FederationID: 1, PublicPEM: public, Fingerprint: fingerprint, NodeID: id})
			return id
		},
		unregister: func(node uint64) {
			gateway.Cut(keys.revoke(node))
			check(t, link.Unregister(node))
		},
		start: func(b bundle, config map[string]any) (uint64, string) {
			encoded, err := superlink.EncodeConfig(config)
			check(t, err)
			run, err := link.Start(superlink.Order{FAB: b.fab, App: b.name, Version: b.version, Config: encoded})
			check(t, err)
			task, err := link.Acquire(run)
			check(t, err)
			return run, task.Token
		},
		stop: func(run uint64) { check(t, link.Stop(run)) },
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	return key
}

func publicPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	text, err := wire.PublicPEM(&key.PublicKey)
	check(t, err)
	return text
}

// answerOf lets an engine answer one request.
func (e *engine) answerOf(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return w
}
