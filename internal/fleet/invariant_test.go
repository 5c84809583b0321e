package fleet

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// Invariant 2: for each Fleet path and each mutated header or body not one byte goes upstream.
func TestNothingGoesUpstreamUnlessAllIsRight(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.RatePerKey, o.BurstPerKey = 1e6, 1e6 })
	stranger, revoked := newKey(t), newKey(t)
	gone := enrolled(t, revoked, 5)
	gone.RevokedAt = time.Now()
	f.keys.set(gone)
	for path, m := range methods {
		good := bodyFor(path, ownID, publicPEM(t, f.key), 100)
		if m.never {
			f.refuses(t, path+" at all", f.request(path, good), http.StatusUnauthorized)
			continue
		}
		f.passes(t, path, f.request(path, good))
		f.refuses(t, path+" unknown key", f.signed(stranger, time.Now(), path, bodyFor(path, ownID, publicPEM(t, stranger), 100)), 401)
		f.refuses(t, path+" revoked key", f.signed(revoked, time.Now(), path, bodyFor(path, 5, publicPEM(t, revoked), 100)), 401)
		f.refuses(t, path+" stale", f.signed(f.key, time.Now().Add(-310*time.Second), path, good), 401)
		f.refuses(t, path+" from the future", f.signed(f.key, time.Now().Add(30*time.Second), path, good), 401)
		f.repeated(t, path, good)
		f.mutatedHeaders(t, path, good, publicPEM(t, stranger))
		for name, body := range foreignBodies(t, path, f) {
			f.refuses(t, path+" "+name, f.request(path, body), 401)
		}
	}
}

// A key of any NIST curve passes with its own signature, and not with another key's.
func TestKeysOfAllNISTCurvesPass(t *testing.T) {
	f := newFixture(t, nil)
	for id, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		name, node := curve.Params().Name, uint64(id)+100
		key, other := newKeyOf(t, curve), newKeyOf(t, curve)
		f.keys.set(enrolled(t, key, node))
		for path, m := range methods {
			if m.never {
				continue
			}
			body := bodyFor(path, node, publicPEM(t, key), 100)
			f.passes(t, name+" "+path, f.signed(key, time.Now(), path, body))
			forged := f.signed(other, time.Now(), path, body)
			forged.Header.Set(wire.HeaderPublicKey, f.signed(key, time.Now(), path, body).Header.Get(wire.HeaderPublicKey))
			f.refuses(t, name+" "+path+" forged", forged, http.StatusUnauthorized)
		}
	}
}

func (f *fixture) passes(t *testing.T, name string, r *http.Request) {
	t.Helper()
	before := f.up.complete.Load()
	if code, text := f.do(r); code != 200 || f.up.complete.Load() != before+1 {
		t.Fatalf("%s: a good request got %d %s", name, code, text)
	}
}

func (f *fixture) refuses(t *testing.T, name string, r *http.Request, want int) {
	t.Helper()
	before := f.up.bytes.Load() + f.up.calls.Load()
	code, text := f.do(r)
	if code != want {
		t.Errorf("%s: %d %s, want %d", name, code, text, want)
	}
	if now := f.up.bytes.Load() + f.up.calls.Load(); now != before {
		t.Errorf("%s: %d bytes or calls went upstream", name, now-before)
	}
}

func (f *fixture) repeated(t *testing.T, path string, good []byte) {
	t.Helper()
	r := f.request(path, good)
	again := f.request("/v1/fleet/pull-messages", bodyFor("/v1/fleet/pull-messages", ownID, nil, 0))
	again.Header = r.Header.Clone()
	f.passes(t, path, r)
	f.refuses(t, path+" repeated with another body", again, 503)
}

func (f *fixture) mutatedHeaders(t *testing.T, path string, good, noise []byte) {
	t.Helper()
	for _, name := range []string{wire.HeaderPublicKey, wire.HeaderTimestamp, wire.HeaderSignature} {
		for kind, change := range map[string]func(http.Header){
			"missing":  func(h http.Header) { h.Del(name) },
			"empty":    func(h http.Header) { h.Set(name, "") },
			"twice":    func(h http.Header) { h.Add(name, h.Get(name)) },
			"no text":  func(h http.Header) { h.Set(name, "\"\x80\"") },
			"noise":    func(h http.Header) { h.Set(name, base64.StdEncoding.EncodeToString(noise)) },
			"cut":      func(h http.Header) { h.Set(name, h.Get(name)[:len(h.Get(name))-5]) },
			"longer":   func(h http.Header) { h.Set(name, h.Get(name)+"AAAA") },
			"reversed": func(h http.Header) { h.Set(name, reverse(h.Get(name))) },
		} {
			r := f.request(path, good)
			change(r.Header)
			f.refuses(t, fmt.Sprintf("%s %s %s", path, name, kind), r, 401)
		}
	}
	r := f.request(path, good)
	r.Header.Set("Content-Type", "application/x-protobuf")
	f.refuses(t, path+" another content type", r, 415)
	r = f.request(path, good)
	r.Header.Set("Content-Encoding", "gzip")
	f.refuses(t, path+" compressed", r, 415)
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// foreignBodies are bodies that speak for another node, say so in ways that readers may take differently, or are broken.
func foreignBodies(t *testing.T, path string, f *fixture) map[string][]byte {
	pub := publicPEM(t, f.key)
	good := bodyFor(path, ownID, pub, 100)
	foreign := bodyFor(path, otherID, publicPEM(t, newKey(t)), 100)
	overlong := bytes.Replace(good, nodeMsg(ownID), append(nodeMsg(ownID)[:10:10], 0x81, 0x00), 1)
	out := map[string][]byte{
		"foreign":           foreign,
		"node 0":            bodyFor(path, 0, nil, 100),
		"empty":             {},
		"cut":               good[:len(good)-1],
		"foreign after own": append(bytes.Clone(good), foreign...),
		"own twice":         append(bytes.Clone(good), good...),
		"group":             append(bytes.Clone(good), 0x9b, 0x06, 0x9c, 0x06),
		"overlong tag":      append([]byte{good[0] | 0x80, 0x00}, good[1:]...),
		"other wire type":   append(varint(nil, 1, 1)[:1], good[1:]...),
		"broken tail":       append(bytes.Clone(good), 0x0a),
	}
	switch methods[path].body[1].kind {
	case isNodeID:
		out["other wire type"] = bytesField(nil, 1, nodeMsg(ownID))
	case isKey:
		delete(out, "node 0")
		out["key and more"] = bytesField(nil, 1, append(bytes.Clone(pub), '\n'))
	}
	if !bytes.Equal(overlong, good) {
		out["overlong id"] = overlong
	}
	node := bytesField(nil, 1, nodeMsg(ownID))
	switch path {
	case "/v1/fleet/push-messages":
		out["foreign source"] = bytesField(node, 2, message(otherID))
		out["second message's foreign source"] = bytesField(bytesField(node, 2, message(ownID)), 2, message(otherID))
		out["no source"] = bytesField(node, 2, bytesField(nil, 1, varint(nil, 1, 99)))
		out["no metadata"] = bytesField(node, 2, nil)
		out["metadata twice"] = bytesField(node, 2, append(message(ownID), message(otherID)...))
		out["source twice"] = bytesField(node, 2, bytesField(nil, 1, varint(varint(nil, 3, ownID), 3, otherID)))
	case "/v1/fleet/push-object":
		out["foreign node after the content"] = append(bytes.Clone(good), bytesField(nil, 1, nodeMsg(otherID))...)
	}
	return out
}

func TestOnlyFleetPathsExist(t *testing.T) {
	f := newFixture(t, nil)
	body := bodyFor("/v1/fleet/pull-messages", ownID, nil, 0)
	for _, path := range []string{
		"/v1/control/list-runs", "/v1/runtime/acquire-task", "/health", "/v1/fleet/", "/v1/fleet/pull-messages/", "/v1/fleet//pull-messages",
		"/v1/fleet/Pull-messages", "/v1/fleet/../control/start-run", "/v1/fleet/%70ull-messages", "/v1/fleet/pull-messages?x=1", "/docs",
	} {
		f.refuses(t, path, f.request(path, body), http.StatusNotFound)
	}
	r := f.request("/v1/fleet/pull-messages", body)
	r.Method = http.MethodPut
	f.refuses(t, "PUT", r, http.StatusMethodNotAllowed)
}

// A large push-object passes as a stream; one that speaks for another at its end never becomes a whole request upstream.
func TestLargeObjects(t *testing.T) {
	f := newFixture(t, nil)
	const path = "/v1/fleet/push-object"
	good := bodyFor(path, ownID, nil, 3<<20)
	f.passes(t, "large", f.request(path, good))
	for name, body := range map[string][]byte{
		"foreign":              bodyFor(path, otherID, nil, 3<<20),
		"no node":              bytesField(nil, 4, make([]byte, 1<<20)),
		"length beyond":        append(bytes.Clone(good[:90]), bytes.Repeat([]byte{0xff}, 1<<20)...),
		"long tail":            append(bytes.Clone(good), make([]byte, 8<<10)...),
		"foreign node in head": append(bytesField(nil, 1, nodeMsg(otherID)), good...),
	} {
		f.refuses(t, name, f.request(path, body), 401)
	}
	before, calls := f.up.complete.Load(), f.up.calls.Load()
	for name, tail := range map[string][]byte{
		"foreign node": bytesField(nil, 1, nodeMsg(otherID)), "own node": bytesField(nil, 1, nodeMsg(ownID)),
		"second content": bytesField(nil, 4, []byte("x")), "broken": {0x0a}, "group": {0x9b, 0x06},
	} {
		if code, _ := f.do(f.request(path, append(bytes.Clone(good), tail...))); code != 401 {
			t.Errorf("tail with %s: %d", name, code)
		}
	}
	eventually(t, func() bool { return f.up.ended.Load() >= calls+5 }) // each began, before its tail was seen
	if n := f.up.complete.Load() - before; n != 0 {
		t.Errorf("%d bad requests became whole upstream", n)
	}
	big := f.request("/v1/fleet/pull-messages", make([]byte, small+1))
	f.refuses(t, "too large", big, http.StatusRequestEntityTooLarge)
}

func TestWaitingIsToldWith503(t *testing.T) {
	f := newFixture(t, nil)
	const path = "/v1/fleet/pull-messages"
	body := bodyFor(path, ownID, nil, 0)
	f.down.Store(true)
	f.refuses(t, "SuperLink down", f.request(path, body), 503)
	f.down.Store(false)
	f.passes(t, "up again", f.request(path, body))
	f.keys.err = domain.Errorf(domain.Unavailable, "the database is away")
	f.g.Forget(fingerprint(t, f.key))
	f.refuses(t, "database away", f.request(path, body), 503)
	f.keys.err = nil
	unregistered := enrolled(t, f.key, 0)
	f.keys.set(unregistered)
	f.refuses(t, "not registered yet", f.request(path, body), 503)
	f.keys.set(enrolled(t, f.key, ownID))
	f.passes(t, "registered", f.request(path, body))
	f.g.started = time.Now()
	f.refuses(t, "signed before the start", f.signed(f.key, f.g.started.Add(-time.Second), path, body), 503)
	f.up.Close()
	if code, _ := f.do(f.request(path, body)); code != 503 {
		t.Fatalf("SuperLink gone: %d", code)
	}
}

func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("it did not become so in time")
		case <-tick.C:
		}
	}
}
