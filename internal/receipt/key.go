// Package receipt makes and checks the signed document of a run.
//
// A receipt is a DSSE envelope (https://github.com/secure-systems-lab/dsse, protocol 1.0.2) around an in-toto Statement v1
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md). What is signed is exactly
//
//	"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload
//
// with the payload's bytes as they stand, base64-encoded, in the envelope: nobody has to write JSON in the same way again to
// check it. The signature is Ed25519 (RFC 8032). The envelope names the public key too, so that whoever knows the key's id from
// elsewhere can check a receipt without the server.
package receipt

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"blossomtune/internal/domain"
)

// Signer signs receipts with a server's key.
type Signer struct {
	key ed25519.PrivateKey
	pem string // the public key
	id  string
}

// OpenSigner takes a server's key from a directory; at the first start it makes one there, readable for the owner only.
func OpenSigner(dir string) (*Signer, error) {
	path := filepath.Join(dir, "receipt.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = newKey(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the receipts' key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, domain.Errorf(domain.Invalid, "%s is no PEM file.",
			path).Fix("Restore it from a backup; without it, everyone who checks receipts needs the new key.")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the receipts' key: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, domain.Errorf(domain.Invalid, "%s is no Ed25519 key.", path).Fix("Restore it from a backup.")
	}
	public := key.Public().(ed25519.PublicKey)
	s := &Signer{key: key, id: KeyID(public)}
	s.pem, err = encodeKey(public)
	return s, err
}

func newKey(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	tmp, err := os.CreateTemp(dir, ".key-*") // readable for the owner only
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) { // whoever was faster made the key
		return nil, err
	}
	return os.ReadFile(path)
}

// PublicKey is the key that checks the receipts, in PEM.
func (s *Signer) PublicKey() string { return s.pem }

// KeyID is the id of that key.
func (s *Signer) KeyID() string { return s.id }

// KeyID names a key: the hex SHA-256 of its DER form (SubjectPublicKeyInfo).
func KeyID(key ed25519.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // every Ed25519 key has a DER form
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func encodeKey(key ed25519.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// ParseKey reads a public key in PEM.
func ParseKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, domain.Errorf(domain.Invalid, "This is no public key in PEM.")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, domain.Errorf(domain.Invalid, "This is no Ed25519 key.").Because(err)
	}
	return key, nil
}
