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
	c, err := ReadClaim(h, now)
	if err != nil {
		return NodeAuth{}, err
	}
	return c.verify()
}

// verify checks the claim with the key that it names.
func (c Claim) verify() (NodeAuth, error) {
	s, err := ReadSigner(c.KeyText)
	if err != nil {
		return NodeAuth{}, err
	}
	if err := s.Verify(c); err != nil {
		return NodeAuth{}, err
	}
	return NodeAuth{PublicPEM: s.PublicPEM, Fingerprint: s.Fingerprint, Timestamp: c.Timestamp}, nil
}

// Claim is what the headers of a request say about who signed it, and when. It proves nothing before [Signer.Verify].
type Claim struct {
	KeyText   string    // the public key, as in its header
	Timestamp time.Time // within the window
	signature string
	sum       [sha256.Size]byte // what must be signed
}

// ReadClaim reads the three headers of a Fleet request: each given once, and a time within the window.
func ReadClaim(h http.Header, now time.Time) (Claim, error) {
	return readClaim(h, fleetHeaders, now, func(at string) [sha256.Size]byte { return sha256.Sum256([]byte(at)) })
}

// headerNames are the canonical names of the headers for key, time and signature.
type headerNames [3]string

func canonical(names ...string) (out headerNames) {
	for i, name := range names {
		out[i] = http.CanonicalHeaderKey(name)
	}
	return out
}

var fleetHeaders = canonical(HeaderPublicKey, HeaderTimestamp, HeaderSignature)

// readClaim reads the named headers; text returns the hash that is to be signed at a time.
func readClaim(h http.Header, names headerNames, now time.Time, text func(at string) [sha256.Size]byte) (Claim, error) {
	for _, name := range names {
		if v := h[name]; len(v) != 1 || v[0] == "" || len(v[0]) > maxHeader {
			return Claim{}, errNodeAuth
		}
	}
	at, err := parseTimestamp(h[names[1]][0])
	if err != nil || now.Sub(at) > Window || at.Sub(now) > Ahead {
		return Claim{}, errNodeAuth
	}
	return Claim{KeyText: h[names[0]][0], Timestamp: at, signature: h[names[2]][0], sum: text(h[names[1]][0])}, nil
}

// Signer is a SuperNode's public key. It is immutable.
type Signer struct {
	PublicPEM   []byte // the exact bytes of the header
	Fingerprint string // hex SHA-256 of the DER SubjectPublicKeyInfo
	key         *ecdsa.PublicKey
}

// ReadSigner reads the header of a public key: a NIST-curve key in its one PEM form.
func ReadSigner(keyText string) (*Signer, error) {
	publicPEM, err := base64.StdEncoding.Strict().DecodeString(keyText)
	if err != nil {
		return nil, errNodeAuth
	}
	key, fingerprint, err := ParsePublicKey(publicPEM)
	if err != nil {
		return nil, errNodeAuth
	}
	if one, err := PublicPEM(key); err != nil || !bytes.Equal(one, publicPEM) {
		return nil, errNodeAuth // the SuperLink knows a key by these bytes
	}
	return &Signer{PublicPEM: publicPEM, Fingerprint: fingerprint, key: key}, nil
}

// Verify checks the signature of a claim that names this key.
func (s *Signer) Verify(c Claim) error { return s.verify(c.sum, c.signature) }

func (s *Signer) verify(sum [sha256.Size]byte, text string) error {
	signature, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || !ecdsa.VerifyASN1(s.key, sum[:], signature) {
		return errNodeAuth
	}
	return nil
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
