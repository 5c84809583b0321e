package fleet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/portmux"
	"blossomtune/internal/tlsca"
)

const beat = "/v1/fleet/send-node-heartbeat"

// door serves a handler as the server does, on one port, and returns its host:port.
func door(t testing.TB, h http.Handler, proxied bool) string {
	t.Helper()
	addr, _ := doorWithCA(t, h, proxied)
	return addr
}

// doorWithCA is door; it also returns the CA's certificate in PEM.
func doorWithCA(t testing.TB, h http.Handler, proxied bool) (string, []byte) {
	t.Helper()
	ca, err := tlsca.Open(tlsca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	portmux.Limit(s)
	l := portmux.New(inner, portmux.Options{TLS: ca.TLSConfig(), Proxied: proxied})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return inner.Addr().String(), ca.CAPEM()
}

// line is one connection of a client to a door.
type line struct {
	f    *fixture
	base string
	tr   *http.Transport
	want string // the protocol
}

func (f *fixture) line(base string, http2 bool) *line {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2, MaxConnsPerHost: 1}
	f.t.Cleanup(tr.CloseIdleConnections)
	l := &line{f: f, base: base, tr: tr, want: "HTTP/1.1"}
	if http2 {
		l.want = "HTTP/2.0"
	}
	return l
}

// send makes a call and returns its status.
func (l *line) send(r *http.Request) int {
	l.f.t.Helper()
	u, err := url.Parse(l.base + r.URL.Path)
	if err != nil {
		l.f.t.Fatal(err)
	}
	r.URL, r.Host = u, u.Host
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	res, err := l.tr.RoundTrip(r.WithContext(ctx))
	if err != nil {
		l.f.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if res.Proto != l.want {
		l.f.t.Fatalf("the answer came over %s, want %s", res.Proto, l.want)
	}
	return res.StatusCode
}

// bind makes a call that binds a key to the connection.
func (l *line) bind(key *ecdsa.PrivateKey, node uint64) {
	l.f.t.Helper()
	r := wire.NewChannels(key).Bind(l.f.signed(key, time.Now(), beat, bodyFor(beat, node, nil, 0)))
	if got := l.send(r); got != http.StatusOK {
		l.f.t.Fatalf("the first call on a connection: %d", got)
	}
}

// forged is a call of a key whose signature is another time's.
func (f *fixture) forged(key *ecdsa.PrivateKey, node uint64) *http.Request {
	r := f.signed(key, time.Now(), beat, bodyFor(beat, node, nil, 0))
	r.Header.Set(wire.HeaderSignature, f.signed(key, time.Now().Add(-time.Second), beat, nil).Header.Get(wire.HeaderSignature))
	return r
}

// second enrols another key.
func (f *fixture) second(node uint64) *ecdsa.PrivateKey {
	key := newKeyOf(f.t, elliptic.P256())
	f.keys.set(enrolled(f.t, key, node))
	return key
}

// On a connection that its key's holder has bound, and on no other, signatures are not checked again; everything else is.
func TestAKeyIsBoundToOneConnection(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		f := newFixture(t, nil)
		base := "https://" + door(t, f.g, false)
		other := f.second(otherID)
		bound := func() *line {
			l := f.line(base, http2)
			l.bind(f.key, ownID)
			return l
		}
		if got := bound().send(f.forged(f.key, ownID)); got != http.StatusOK {
			t.Fatalf("http2 %v: a further call on a bound connection: %d", http2, got)
		}
		used := time.Now()
		l := bound()
		l.send(f.signed(f.key, used, beat, bodyFor(beat, ownID, nil, 0)))
		stale := f.signed(f.key, time.Now().Add(-310*time.Second), beat, bodyFor(beat, ownID, nil, 0))
		stolen := f.forged(f.key, ownID)
		sum := make([]byte, 70)
		stolen.Header.Set(wire.HeaderChannel, base64.StdEncoding.EncodeToString(sum))
		none := f.forged(f.key, ownID)
		none.Header.Del(wire.HeaderSignature)
		for _, c := range []struct {
			what string
			on   *line
			call *http.Request
			want int
		}{
			{"another key", bound(), f.forged(other, otherID), 401},
			{"another key with its own signature", bound(), f.signed(other, time.Now(), beat, bodyFor(beat, otherID, nil, 0)), 200},
			{"a key that is not enrolled", bound(), f.forged(newKey(t), ownID), 401},
			{"no signature at all", bound(), none, 401},
			{"an old time", bound(), stale, 401},
			{"a time used before", l, f.signed(f.key, used, beat, bodyFor(beat, ownID, nil, 0)), 503},
			{"another's node id", bound(), f.forged(f.key, otherID), 401},
			{"a new connection", f.line(base, http2), f.forged(f.key, ownID), 401},
			{"a new connection with a false binding", f.line(base, http2), stolen, 401},
			{"a connection that was never bound", func() *line {
				l := f.line(base, http2)
				l.send(f.signed(f.key, time.Now(), beat, bodyFor(beat, ownID, nil, 0)))
				return l
			}(), f.forged(f.key, ownID), 401},
		} {
			before := f.up.calls.Load()
			if got := c.on.send(c.call); got != c.want {
				t.Errorf("http2 %v, %s: %d, want %d", http2, c.what, got, c.want)
			}
			if c.want != 200 && f.up.calls.Load() != before {
				t.Errorf("http2 %v, %s: it went upstream", http2, c.what)
			}
		}
	}
}

// A binding made on one connection is worth nothing on another.
func TestABindingCannotBeRepeatedElsewhere(t *testing.T) {
	f := newFixture(t, nil)
	base := "https://" + door(t, f.g, false)
	first := f.line(base, false)
	r := wire.NewChannels(f.key).Bind(f.request(beat, bodyFor(beat, ownID, nil, 0)))
	first.send(r)
	copied := r.Header.Get(wire.HeaderChannel)
	if copied == "" {
		t.Fatal("the first call bound nothing")
	}
	again := f.line(base, false)
	good := f.request(beat, bodyFor(beat, ownID, nil, 0))
	good.Header.Set(wire.HeaderChannel, copied)
	if got := again.send(good); got != http.StatusOK {
		t.Errorf("a good call with a binding of another connection: %d", got)
	}
	if got := again.send(f.forged(f.key, ownID)); got != http.StatusUnauthorized {
		t.Errorf("a forged call on a connection with a copied binding: %d", got)
	}
}

// Where requests of several clients may share a connection, every signature is checked.
func TestBehindAProxyEverySignatureIsChecked(t *testing.T) {
	f := newFixture(t, nil)
	relay := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "https", p.In.Context().Value(relayTo{}).(string)
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxConnsPerHost: 1},
	}
	to := door(t, f.g, false)
	between := door(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		relay.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), relayTo{}, to)))
	}), false)
	declared := door(t, f.g, true)
	for name, base := range map[string]string{
		"plain HTTP": "http://" + to, "declared": "http://" + declared, "declared, with TLS": "https://" + declared,
		"TLS that ends before": "https://" + between,
	} {
		l := f.line(base, false)
		l.bind(f.key, ownID)
		if got := l.send(f.forged(f.key, ownID)); got != http.StatusUnauthorized {
			t.Errorf("%s: a forged call on the same connection: %d", name, got)
		}
		if got := f.line(base, false).send(f.forged(f.key, ownID)); got != http.StatusUnauthorized {
			t.Errorf("%s: a forged call on another connection: %d", name, got)
		}
	}
}

type relayTo struct{}

// A key that ends or is suspended is refused at once, on a bound connection too.
func TestABoundConnectionEndsWithItsKey(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		f := newFixture(t, nil)
		base := "https://" + door(t, f.g, false)
		fp := fingerprint(t, f.key)
		for _, c := range []struct {
			change func(*domain.NodeKey)
			tell   func(string)
			want   int
		}{
			{func(k *domain.NodeKey) { k.SuspendedAt = time.Now() }, f.g.Pause, 503},
			{func(k *domain.NodeKey) { k.SuspendedAt = time.Time{} }, f.g.Forget, 200},
			{func(k *domain.NodeKey) { k.SuspendedAt = time.Now() }, func(string) { f.g.Doubt(fedID) }, 503},
			{func(k *domain.NodeKey) { k.SuspendedAt, k.RevokedAt = time.Time{}, time.Now() }, f.g.Cut, 401},
		} {
			key := enrolled(t, f.key, ownID)
			f.keys.set(key)
			f.g.Forget(fp)
			l := f.line(base, http2)
			l.bind(f.key, ownID)
			c.change(&key)
			f.keys.set(key)
			c.tell(fp)
			if got := l.send(f.request(beat, bodyFor(beat, ownID, nil, 0))); got != c.want {
				t.Errorf("http2 %v: %d, want %d", http2, got, c.want)
			}
		}
	}
}

// An idle SuperNode costs no database read for each of its calls.
func TestAnIdleSuperNodeIsNotLookedUp(t *testing.T) {
	f := newFixture(t, nil)
	began := time.Now()
	const calls = 30
	for i := range calls {
		f.now.Store(int64(i) * int64(20*time.Second))
		r := f.signed(f.key, began.Add(time.Duration(i)*20*time.Second), beat, bodyFor(beat, ownID, nil, 0))
		if status, text := f.do(r); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
	}
	f.keys.mu.Lock()
	defer f.keys.mu.Unlock()
	if f.keys.asks > calls/10 {
		t.Errorf("%d calls made %d reads of the database", calls, f.keys.asks)
	}
}

// A key is given in one form only; a parsed one that is kept is not taken for another.
func TestAKeptKeyIsTheHeadersOwn(t *testing.T) {
	f := newFixture(t, nil)
	good := f.request(beat, bodyFor(beat, ownID, nil, 0))
	if status, _ := f.do(good); status != http.StatusOK {
		t.Fatal(status)
	}
	text := good.Header.Get(wire.HeaderPublicKey)
	for _, other := range []string{text + "=", text[:len(text)-1], base64.StdEncoding.EncodeToString(append(publicPEM(t, f.key), '\n'))} {
		r := f.request(beat, bodyFor(beat, ownID, nil, 0))
		r.Header[http.CanonicalHeaderKey(wire.HeaderPublicKey)] = []string{other}
		w := httptest.NewRecorder()
		r.Body = io.NopCloser(bytes.NewReader(bodyFor(beat, ownID, nil, 0)))
		f.g.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", other, w.Code)
		}
	}
}
