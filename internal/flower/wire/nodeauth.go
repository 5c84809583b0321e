package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"blossomtune/internal/domain"
)

// The headers with which a SuperNode signs each Fleet request. Their values are secrets for the length of the window: they
// are never logged.
const (
	HeaderPublicKey = "flwr-public-key"
	HeaderTimestamp = "flwr-timestamp"
	HeaderSignature = "flwr-signature"
)

// Window is how old, and Ahead how far in the future, a signature's time may be (flwr 1.42).
const (
	Window = 300 * time.Second
	Ahead  = 5 * time.Second
)

// NodeAuth is a verified signature: who signed, and when.
type NodeAuth struct {
	PublicPEM   []byte // the exact bytes of the header
	Fingerprint string // hex SHA-256 of the DER SubjectPublicKeyInfo
	Timestamp   time.Time
}

var errNodeAuth = errors.New("no valid SuperNode signature")

// maxHeader bounds a header's value; P-521 in PEM and base64 has 360 bytes.
const maxHeader = 2048

// VerifyHeaders checks the three headers of a Fleet request: each given once, a NIST-curve key in its one PEM form, a time
// within the window, and a signature of that time by that key. Whether the key is enrolled, and whether the signature was
// used before, is for the caller.
func VerifyHeaders(h http.Header, now time.Time) (NodeAuth, error) {
	return verify(h, [3]string{HeaderPublicKey, HeaderTimestamp, HeaderSignature}, now, func(at string) [sha256.Size]byte { return sha256.Sum256([]byte(at)) })
}

// verify checks the named headers: key, time and a signature over what text makes of the time.
func verify(h http.Header, names [3]string, now time.Time, text func(at string) [sha256.Size]byte) (NodeAuth, error) {
	values := [3]string{}
	for i, name := range names {
		v := h.Values(name)
		if len(v) != 1 || v[0] == "" || len(v[0]) > maxHeader {
			return NodeAuth{}, errNodeAuth
		}
		values[i] = v[0]
	}
	at, err := parseTimestamp(values[1])
	if err != nil || now.Sub(at) > Window || at.Sub(now) > Ahead {
		return NodeAuth{}, errNodeAuth
	}
	publicPEM, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if err != nil {
		return NodeAuth{}, errNodeAuth
	}
	key, fingerprint, err := ParsePublicKey(publicPEM)
	if err != nil {
		return NodeAuth{}, errNodeAuth
	}
	if one, err := PublicPEM(key); err != nil || !bytes.Equal(one, publicPEM) {
		return NodeAuth{}, errNodeAuth // the SuperLink knows a key by these bytes
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(values[2])
	sum := text(values[1])
	if err != nil || !ecdsa.VerifyASN1(key, sum[:], signature) {
		return NodeAuth{}, errNodeAuth
	}
	return NodeAuth{PublicPEM: publicPEM, Fingerprint: fingerprint, Timestamp: at}, nil
}

// ParsePublicKey is [domain.ParseNodeKey]: it reads a SuperNode's public key and returns it with its fingerprint.
func ParsePublicKey(text []byte) (*ecdsa.PublicKey, string, error) {
	return domain.ParseNodeKey(text)
}

// PublicPEM returns a key in the form that travels.
func PublicPEM(key *ecdsa.PublicKey) ([]byte, error) {
	text, _, err := domain.NodeKeyPEM(key)
	return text, err
}

// timestampLayout is Python's isoformat() of a UTC time, with microseconds.
const timestampLayout = "2006-01-02T15:04:05.999999-07:00"

// parseTimestamp reads a signature's time. It must carry its offset: one without is somebody's local time.
func parseTimestamp(s string) (time.Time, error) {
	if len(s) > 40 {
		return time.Time{}, errNodeAuth
	}
	for _, layout := range []string{timestampLayout, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errNodeAuth
}

// SignHeaders signs a Fleet request as a SuperNode does, at a moment of the signer's choice.
func SignHeaders(key *ecdsa.PrivateKey, at time.Time) (http.Header, error) {
	public, err := PublicPEM(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	text := at.UTC().Format("2006-01-02T15:04:05.000000-07:00")
	sum := sha256.Sum256([]byte(text))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set(HeaderPublicKey, base64.StdEncoding.EncodeToString(public))
	h.Set(HeaderTimestamp, text)
	h.Set(HeaderSignature, base64.StdEncoding.EncodeToString(signature))
	return h, nil
}
