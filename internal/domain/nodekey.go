package domain

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
)

// maxKeyPEM bounds a public key; P-521 in PEM has 268 bytes.
const maxKeyPEM = 1024

// ParseNodeKey reads a SuperNode's public key: one PEM block with a SubjectPublicKeyInfo of a NIST curve and nothing else
// (flower-facts: NIST curves; P-384 is Flower's). It returns the key and its fingerprint, the hex SHA-256 of the DER form;
// anything else is an [Invalid] error at field "public_key".
func ParseNodeKey(text []byte) (*ecdsa.PublicKey, string, error) {
	bad := func(why string) error {
		return Errorf(Invalid, "%s", why).Fix("Make one with: ssh-keygen -t ecdsa -b 384").At("public_key")
	}
	if len(text) > maxKeyPEM {
		return nil, "", bad("The key is too long.")
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(block.Headers) > 0 || strings.TrimSpace(string(rest)) != "" {
		return nil, "", bad("This is not one PEM block of type PUBLIC KEY.")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, "", bad("The public key cannot be read.")
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
		return nil, "", bad("The key is not an elliptic-curve key of a NIST curve.")
	}
	_, fingerprint, err := NodeKeyPEM(key)
	return key, fingerprint, err
}

// NodeKeyPEM returns a public key in the form that travels, and its fingerprint.
func NodeKeyPEM(key *ecdsa.PublicKey) ([]byte, string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, "", Errorf(Invalid, "The public key cannot be written.").At("public_key").Because(err)
	}
	sum := sha256.Sum256(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), hex.EncodeToString(sum[:]), nil
}
