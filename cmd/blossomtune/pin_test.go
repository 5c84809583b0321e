package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"testing"
)

// pinOf is the SHA-256 of a CA's certificate.
func pinOf(t *testing.T, text []byte) string {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no certificate: %s", text)
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}
