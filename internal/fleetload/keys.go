package fleetload

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// Key is a SuperNode's key. Its methods are safe for concurrent use.
type Key struct {
	PublicPEM []byte // as it travels
	private   *ecdsa.PrivateKey
	header    string

	mu    sync.Mutex
	last  time.Time // the time that was signed last
	text  string
	proof string
}

// NewKeys makes n keys of a NIST curve; Flower's is P-384.
func NewKeys(n int, curve elliptic.Curve) ([]*Key, error) {
	if n < 1 || n > MaxNodes {
		return nil, domain.Errorf(domain.Invalid, "The number of nodes must be between 1 and %d.", MaxNodes)
	}
	keys := make([]*Key, n)
	for i := range keys {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, err
		}
		if keys[i], err = newKey(private); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	public, err := wire.PublicPEM(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Key{PublicPEM: public, private: private, header: base64.StdEncoding.EncodeToString(public)}, nil
}

// Public returns the public key.
func (k *Key) Public() *ecdsa.PublicKey { return &k.private.PublicKey }

// appendSignature adds the three headers of a Fleet request. Every signature has a time of its own, because a gateway accepts each once;
// with reuse a signature serves for so long, which is for servers that do not check that.
func (k *Key) appendSignature(b []byte, reuse time.Duration) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now().UTC().Truncate(time.Microsecond); k.text == "" || now.Sub(k.last) >= reuse {
		if !now.After(k.last) {
			now = k.last.Add(time.Microsecond)
		}
		k.last, k.text = now, now.Format("2006-01-02T15:04:05.000000-07:00")
		sum := sha256.Sum256([]byte(k.text))
		signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
		if err != nil {
			return nil, err
		}
		k.proof = base64.StdEncoding.EncodeToString(signature)
	}
	b = appendHeader(b, wire.HeaderPublicKey, k.header)
	b = appendHeader(b, wire.HeaderTimestamp, k.text)
	return appendHeader(b, wire.HeaderSignature, k.proof), nil
}

const keyBlock = "PRIVATE KEY"

// SaveKeys writes keys to a file that only its owner can read, for another call of the command.
func SaveKeys(path string, keys []*Key) error {
	var text []byte
	for _, k := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(k.private)
		if err != nil {
			return err
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})...)
	}
	return os.WriteFile(path, text, 0o600)
}

// LoadKeys reads what [SaveKeys] wrote.
func LoadKeys(path string) ([]*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var keys []*Key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		private, ok := any.(*ecdsa.PrivateKey)
		if !ok {
			return nil, domain.Errorf(domain.Invalid, "%s has a key that is not an elliptic-curve key.", path)
		}
		k, err := newKey(private)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, domain.Errorf(domain.Invalid, "%s has no keys.", path)
	}
	return keys, nil
}
