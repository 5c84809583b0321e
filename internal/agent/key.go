package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"blossomtune/internal/domain"
)

// loadOrMakeKey returns the key in a file, in OpenSSH format as Flower wants it; it makes one (P-256, mode 0600) where there is none
// or only half of one. The key never leaves this machine.
func loadOrMakeKey(path string) (key *ecdsa.PrivateKey, made bool, err error) {
	key, err = loadKey(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, false, err
	}
	block, err := ssh.MarshalPrivateKey(key, "blossomtune")
	if err != nil {
		return nil, false, err
	}
	return key, true, writeFile(path, pem.EncodeToMemory(block), 0o600)
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := ssh.ParseRawPrivateKey(text)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		// The cause may quote the key's bytes: it is not wrapped.
		return nil, domain.Errorf(domain.Invalid, "The key file %s cannot be read as an ECDSA key.", path).
			Fix("Restore it from a backup. If it is lost, ask the federation's manager to revoke your access, ask to join again and " +
				"use the new token.")
	}
	return key, nil
}

func publicPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// prove signs the token's public id: the server learns that who enrols a key also holds it.
func prove(key *ecdsa.PrivateKey, tokenID string) (string, error) {
	sum := domain.EnrolmentDigest(tokenID)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	return base64.StdEncoding.EncodeToString(sig), err
}

// writeFile replaces a file in one step, durably: a crash leaves the old one or the new one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
