package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
)

// older is a server as the app has it, and sends what a SuperNode of flwr 1.39 does.
func (f *fixture) older(t *testing.T) (send func(key *ecdsa.PrivateKey, change func(*http.Request)) *http.Response) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(f.g.ServeGRPC))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return func(key *ecdsa.PrivateKey, change func(*http.Request)) *http.Response {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, srv.URL+"/flwr.proto.Fleet/ActivateNode", bytes.NewReader(make([]byte, 300)))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := wire.SignHeaders(key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Content-Type": "application/grpc", "Te": "trailers", headerVersion: "1.39.0", wire.HeaderTimestamp: signed.Get(wire.HeaderTimestamp),
			oldPublicKey: strings.TrimRight(signed.Get(wire.HeaderPublicKey), "="),
			oldSignature: strings.TrimRight(signed.Get(wire.HeaderSignature), "="),
		} {
			r.Header.Set(name, value)
		}
		if change != nil {
			change(r)
		}
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		if left, err := io.ReadAll(res.Body); err != nil || f.up.calls.Load() != 0 || res.StatusCode == http.StatusOK && len(left) > 0 {
			t.Errorf("%q, %v, %d calls upstream", left, err, f.up.calls.Load())
		}
		return res
	}
}

func TestASuperNodeThatIsTooOldIsToldWhatToInstall(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Flwr = "1.42.0" })
	send := f.older(t)
	res := send(f.key, nil)
	want := "This SuperNode's flwr 1.39.0 is too old: this server needs flwr 1.40 or newer. Install it with: pip install 'flwr==1.42.*'"
	h := res.Header
	if res.StatusCode != http.StatusOK || h.Get("Content-Type") != "application/grpc" || h.Get("Grpc-Status") != "9" ||
		h.Get("Grpc-Message") != want {
		t.Errorf("%s %v", res.Status, h)
	}
	if s := <-f.events; s.Seen.Flwr != "1.39.0" || s.Seen.Online || s.Seen.FirstAt.IsZero() || s.Key.NodeID != ownID {
		t.Errorf("%+v", s)
	}
	if err := f.g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.store.seen[fingerprint(t, f.key)]; got.Flwr != "1.39.0" || got.Online {
		t.Errorf("kept: %+v", got)
	}
	unnamed := send(f.key, func(r *http.Request) { r.Header.Del(headerVersion) }).Header.Get("Grpc-Message")
	if unnamed != strings.Replace(want, " 1.39.0", "", 1) {
		t.Errorf("without a version: %s", unnamed)
	}
	if len(f.events) != 0 {
		t.Error("the same is told twice")
	}
}

// A SuperNode that is online is not taken for an old one because somebody starts an old one with its key.
func TestAnOldSuperNodeBesideANewOneChangesNothing(t *testing.T) {
	f := newFixture(t, nil)
	f.passes(t, "heartbeat", f.request("/v1/fleet/send-node-heartbeat", bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0)))
	f.up.calls.Store(0)
	f.older(t)(f.key, nil)
	if s := f.g.find(fingerprint(t, f.key)).snapshot(); s.Seen.Flwr != "" || !s.Seen.Online {
		t.Errorf("%+v", s.Seen)
	}
}

// Nobody but the key's owner says which Flower it has, and strangers leave nothing in memory.
func TestOnlyAnEnrolledKeySaysItsVersion(t *testing.T) {
	f := newFixture(t, nil)
	send := f.older(t)
	for name, change := range map[string]func(*http.Request){
		"another's signature": func(r *http.Request) {
			r.Header[oldSignature] = []string{base64.StdEncoding.EncodeToString([]byte("x"))}
		},
		"no signature":       func(r *http.Request) { r.Header.Del(oldSignature) },
		"no key":             func(r *http.Request) { r.Header.Del(oldPublicKey) },
		"a key that is none": func(r *http.Request) { r.Header.Set(oldPublicKey, "%%") },
		"an old time":        func(r *http.Request) { r.Header.Set(wire.HeaderTimestamp, "2020-01-01T00:00:00.000000+00:00") },
		"no version":         func(r *http.Request) { r.Header.Set(headerVersion, "<b>") },
	} {
		if res := send(f.key, change); res.Header.Get("Grpc-Status") != "9" || strings.Contains(res.Header.Get("Grpc-Message"), "<") {
			t.Errorf("%s: %v", name, res.Header)
		}
	}
	send(newKey(t), nil)
	f.g.mu.Lock()
	defer f.g.mu.Unlock()
	if len(f.g.nodes) != 0 || len(f.events) != 0 {
		t.Errorf("%d nodes are remembered, %d told", len(f.g.nodes), len(f.events))
	}
}

func TestWhatIsNoCallOfAnOldSuperNodeDoesNotExist(t *testing.T) {
	f := newFixture(t, nil)
	send := f.older(t)
	for name, change := range map[string]func(*http.Request){
		"a GET":   func(r *http.Request) { r.Method = http.MethodGet },
		"no gRPC": func(r *http.Request) { r.Header.Set("Content-Type", "application/protobuf") },
		"no type": func(r *http.Request) { r.Header.Del("Content-Type") },
	} {
		if res := send(f.key, change); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/flwr.proto.Fleet/ActivateNode", nil) // HTTP/1.1
	r.Header.Set("Content-Type", "application/grpc")
	if f.g.ServeGRPC(w, r); w.Code != http.StatusNotFound {
		t.Errorf("HTTP/1.1: %d", w.Code)
	}
}
