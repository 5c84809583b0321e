package wire

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"testing"
	"time"
)

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, key *ecdsa.PrivateKey, at time.Time) http.Header {
	t.Helper()
	h, err := SignHeaders(key, at)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestSignatureOfFlwr verifies what flwr's SuperNode signs.
func TestSignatureOfFlwr(t *testing.T) {
	var signed struct {
		Headers     map[string]string `json:"headers"`
		Fingerprint string            `json:"fingerprint"`
	}
	ask(t, "sign_node", nil, &signed)
	h := http.Header{}
	for k, v := range signed.Headers {
		h.Set(k, v)
	}
	auth, err := VerifyHeaders(h, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	public, err := base64.StdEncoding.DecodeString(h.Get(HeaderPublicKey))
	if err != nil || string(auth.PublicPEM) != string(public) || auth.Fingerprint != signed.Fingerprint {
		t.Errorf("got %+v, want the key %q with fingerprint %s", auth, public, signed.Fingerprint)
	}
	if since := time.Since(auth.Timestamp); since < 0 || since > time.Minute {
		t.Errorf("signed %v ago", since)
	}
}

// TestFlwrVerifiesOurs lets flwr's SuperLink check what SignHeaders signs: good signatures pass, and what we refuse it does too.
func TestFlwrVerifiesOurs(t *testing.T) {
	now, key := time.Now(), newKey(t, elliptic.P384())
	forged := sign(t, key, now)
	forged.Set(HeaderSignature, sign(t, newKey(t, elliptic.P384()), now).Get(HeaderSignature))
	moved := sign(t, key, now)
	moved.Set(HeaderTimestamp, sign(t, key, now.Add(-time.Second)).Get(HeaderTimestamp))
	cases := []struct {
		name string
		h    http.Header
		good bool
	}{
		{"P-384", sign(t, key, now), true},
		{"P-256", sign(t, newKey(t, elliptic.P256()), now), true},
		{"P-521", sign(t, newKey(t, elliptic.P521()), now), true},
		{"a whole second", sign(t, key, now.Truncate(time.Second)), true},
		{"another zone", sign(t, key, now.In(time.FixedZone("", 5400))), true},
		{"280 s old", sign(t, key, now.Add(-280*time.Second)), true},
		{"306 s old", sign(t, key, now.Add(-306*time.Second)), false},
		{"60 s ahead", sign(t, key, now.Add(time.Minute)), false},
		{"another key's signature", forged, false},
		{"another time's signature", moved, false},
	}
	var headers []http.Header
	for _, c := range cases {
		headers = append(headers, c.h)
	}
	var theirs []string
	ask(t, "verify_node", headers, &theirs)
	for i, c := range cases {
		if (theirs[i] == "") != c.good {
			t.Errorf("%s: flwr says %q", c.name, theirs[i])
		}
		if _, err := VerifyHeaders(c.h, now); (err == nil) != c.good {
			t.Errorf("%s: we say %v", c.name, err)
		}
	}
}

func TestWindow(t *testing.T) {
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	h := sign(t, newKey(t, elliptic.P384()), at)
	for now, good := range map[time.Time]bool{
		at.Add(Window):                      true,
		at.Add(Window + time.Microsecond):   false,
		at.Add(-Ahead):                      true,
		at.Add(-Ahead - time.Microsecond):   false,
		at.Add(365 * 24 * time.Hour):        false,
		at.Add(-100 * 365 * 24 * time.Hour): false,
	} {
		if _, err := VerifyHeaders(h, now); (err == nil) != good {
			t.Errorf("seen %v after the signature: %v", now.Sub(at), err)
		}
	}
	if Window != 300*time.Second || Ahead != 5*time.Second {
		t.Errorf("the window is %v and %v, flwr's 300 s and 5 s", Window, Ahead)
	}
}

// TestMutatedHeaders refuses each header that is missing, doubled, empty, or changed in any of its bytes.
func TestMutatedHeaders(t *testing.T) {
	now, key := time.Now(), newKey(t, elliptic.P256())
	refused := func(what string, edit func(h http.Header)) {
		t.Helper()
		h := sign(t, key, now)
		edit(h)
		if auth, err := VerifyHeaders(h, now); err == nil {
			t.Errorf("%s passes as %s", what, auth.Fingerprint)
		}
	}
	for _, name := range []string{HeaderPublicKey, HeaderTimestamp, HeaderSignature} {
		refused("no "+name, func(h http.Header) { h.Del(name) })
		refused("an empty "+name, func(h http.Header) { h.Set(name, "") })
		refused("a second "+name, func(h http.Header) { h.Add(name, h.Get(name)) })
		refused("a long "+name, func(h http.Header) { h.Set(name, h.Get(name)+string(make([]byte, maxHeader))) })
		for i := range len(sign(t, key, now).Get(name)) {
			refused("a changed "+name, func(h http.Header) {
				b := []byte(h.Get(name))
				b[i] ^= 1
				h.Set(name, string(b))
			})
		}
	}
	refused("a time without its offset", func(h http.Header) { h.Set(HeaderTimestamp, now.Format("2006-01-02T15:04:05")) })
}

func TestKeysThatAreNone(t *testing.T) {
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	good, err := PublicPEM(&newKey(t, elliptic.P384()).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	parsed, fingerprint, err := ParsePublicKey(append(good, "\r\n \n"...))
	if err != nil || parsed.Curve != elliptic.P384() || len(fingerprint) != 64 {
		t.Fatalf("got %v, %q, %v", parsed, fingerprint, err)
	}
	edwards, _, _ := ed25519.GenerateKey(rand.Reader)
	edwardsDER, _ := x509.MarshalPKIXPublicKey(edwards)
	p224, _ := x509.MarshalPKIXPublicKey(&newKey(t, elliptic.P224()).PublicKey)
	ours, _ := pem.Decode(good)
	for what, text := range map[string][]byte{
		"nothing":          nil,
		"no PEM":           ours.Bytes,
		"another type":     block("EC PRIVATE KEY", ours.Bytes),
		"not the whole":    block("PUBLIC KEY", ours.Bytes[:len(ours.Bytes)-1]),
		"an Edwards curve": block("PUBLIC KEY", edwardsDER),
		"P-224":            block("PUBLIC KEY", p224),
		"two keys":         append(append([]byte{}, good...), good...),
		"a long text":      append(append([]byte{}, good...), make([]byte, 2000)...),
	} {
		if _, _, err := ParsePublicKey(text); err == nil {
			t.Errorf("%s passes as a key", what)
		}
	}
}
