package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// New keys are on P-256, which the gateway verifies in a tenth of the time; a key that was made on P-384 stays in use.
func TestKeysAreOnTheFastCurve(t *testing.T) {
	dir := t.TempDir()
	fresh, made, err := loadOrMakeKey(filepath.Join(dir, "fresh"))
	if err != nil || !made || fresh.Curve != elliptic.P256() {
		t.Fatalf("%v, %v, %v", fresh, made, err)
	}
	again, made, err := loadOrMakeKey(filepath.Join(dir, "fresh"))
	if err != nil || made || !again.Equal(fresh) {
		t.Errorf("the second time: %v, %v", made, err)
	}
	old, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(old, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "old"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, made, err := loadOrMakeKey(filepath.Join(dir, "old"))
	if err != nil || made || !kept.Equal(old) {
		t.Errorf("a key on P-384: %v, %v", made, err)
	}
}
