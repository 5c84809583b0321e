package fleet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

const (
	ownID   = 0xfedcba9876543210
	otherID = 0x0123456789abcdef
	fedID   = 7
)

// superLink is an upstream that counts what reaches it.
type superLink struct {
	*httptest.Server
	bytes, calls, complete, ended atomic.Int64
	answer                        atomic.Pointer[http.HandlerFunc]
	heard                         atomic.Pointer[http.HandlerFunc] // answers, and reads the body itself
}

// fixture is a gateway with one enrolled key before a counting upstream.
type fixture struct {
	t      testing.TB
	g      *Gateway
	up     *superLink
	front  *httptest.Server
	key    *ecdsa.PrivateKey
	keys   *fakeKeys
	down   atomic.Bool
	now    atomic.Int64 // offset of the gateway's clock
	events chan Seen
	store  *fakeStore
}

type fakeKeys struct {
	mu   sync.Mutex
	keys map[string]domain.NodeKey
	err  error
	asks int
}

func (f *fakeKeys) ByFingerprint(_ context.Context, fp string) (domain.NodeKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asks++
	if f.err != nil {
		return domain.NodeKey{}, f.err
	}
	k, ok := f.keys[fp]
	if !ok {
		return k, domain.Errorf(domain.NotFound, "no such key")
	}
	return k, nil
}

func (f *fakeKeys) set(k domain.NodeKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[k.Fingerprint] = k
}

type fakeStore struct {
	mu    sync.Mutex
	seen  map[string]domain.NodeSeen
	fails bool
}

func (s *fakeStore) SaveSeen(_ context.Context, all []Seen) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return errors.New("the disk is full")
	}
	for _, one := range all {
		s.seen[one.Key.Fingerprint] = one.Seen
	}
	return nil
}

func (f *fixture) Builtin(int64) http.RoundTripper { return nil }

func (f *fixture) For(fed int64) (string, *tls.Config, bool) {
	if f.down.Load() || fed != fedID {
		return "", nil, false
	}
	return strings.TrimPrefix(f.up.URL, "http://"), nil, true
}

func newFixture(t testing.TB, opts func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, up: &superLink{}, keys: &fakeKeys{keys: map[string]domain.NodeKey{}}, events: make(chan Seen, 100), store: &fakeStore{seen: map[string]domain.NodeSeen{}}}
	f.up.Server = httptest.NewServer(http.HandlerFunc(f.up.serve))
	f.key = newKey(t)
	f.keys.set(enrolled(t, f.key, ownID))
	o := Options{
		Keys: f.keys, Upstreams: f, Store: f.store,
		OnSeen: func(s Seen) { f.events <- s },
		Clock:  func() time.Time { return time.Now().Add(time.Duration(f.now.Load())) },
	}
	if opts != nil {
		opts(&o)
	}
	f.g = New(o)
	f.g.started = f.g.started.Add(-time.Hour) // so that old signatures are judged by their age
	f.front = httptest.NewServer(f.g)
	t.Cleanup(func() { f.front.Close(); f.g.ups.close(); f.up.Close() })
	return f
}

func (s *superLink) serve(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	defer s.ended.Add(1)
	if h := s.heard.Load(); h != nil {
		(*h)(w, r)
		return
	}
	n, err := io.Copy(io.Discard, r.Body)
	s.bytes.Add(n + 1) // the head counts too
	if err == nil {
		s.complete.Add(1)
	}
	if h := s.answer.Load(); h != nil {
		(*h)(w, r)
		return
	}
	_, _ = w.Write([]byte("answer"))
}

func newKey(t testing.TB) *ecdsa.PrivateKey { return newKeyOf(t, elliptic.P384()) }

func newKeyOf(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicPEM(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	b, err := wire.PublicPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fingerprint(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	_, fp, err := wire.ParsePublicKey(publicPEM(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return fp
}

func enrolled(t testing.TB, key *ecdsa.PrivateKey, nodeID uint64) domain.NodeKey {
	return domain.NodeKey{ID: int64(nodeID & 0xff), FederationID: fedID, Fingerprint: fingerprint(t, key), PublicPEM: publicPEM(t, key), NodeID: nodeID}
}

// request makes a signed request of the fixture's key.
func (f *fixture) request(path string, body []byte) *http.Request {
	return f.signed(f.key, time.Now(), path, body)
}

func (f *fixture) signed(key *ecdsa.PrivateKey, at time.Time, path string, body []byte) *http.Request {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.front.URL+path, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	h, err := wire.SignHeaders(key, at)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header = h
	r.Header.Set("Content-Type", "application/protobuf")
	return r
}

// do sends a request and returns the status and the answer.
func (f *fixture) do(r *http.Request) (int, string) {
	f.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func nodeMsg(id uint64) []byte {
	return varint(nil, 1, id)
}

func varint(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func bytesField(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func double(b []byte, num protowire.Number) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), 0x403e000000000000)
}

// message is a reply as a SuperNode pushes it.
func message(src uint64) []byte {
	meta := bytesField(varint(nil, 1, 99), 2, []byte("message"))
	meta = varint(varint(meta, 3, src), 4, 1)
	return bytesField(nil, 1, meta)
}

// bodyFor is a good body of a node for a path.
func bodyFor(path string, id uint64, pub []byte, content int) []byte {
	node := bytesField(nil, 1, nodeMsg(id))
	switch path {
	case "/v1/fleet/register-node":
		return bytesField(nil, 1, pub)
	case "/v1/fleet/activate-node":
		return double(bytesField(nil, 1, pub), 2)
	case "/v1/fleet/deactivate-node", "/v1/fleet/unregister-node":
		return nodeMsg(id)
	case "/v1/fleet/send-node-heartbeat":
		return double(node, 2)
	case "/v1/fleet/push-messages":
		return double(bytesField(bytesField(bytesField(node, 2, message(id)), 2, message(id)), 3, []byte{}), 4)
	case "/v1/fleet/push-object":
		b := bytesField(varint(node, 2, 99), 3, []byte(strings.Repeat("a", 64)))
		return bytesField(bytesField(b, 4, bytes.Repeat([]byte{7}, content)), 5, []byte("session"))
	case "/v1/fleet/pull-messages":
		return node
	case "/v1/fleet/get-fab":
		return varint(bytesField(node, 2, []byte("hash")), 3, 99)
	}
	return bytesField(varint(node, 2, 99), 3, []byte("id"))
}
