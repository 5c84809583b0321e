package onboarding

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"strings"
	"testing"

	"blossomtune/internal/domain"

	"golang.org/x/crypto/ssh"
)

// FuzzSSHSig looks for a signature that is accepted for a text which the key did not sign. raw is the content of an armored signature,
// or with armored all of it.
func FuzzSSHSig(f *testing.F) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32)) // the same in every process of a fuzz run
	if err != nil {
		f.Fatal(err)
	}
	const text = "blossomtune-upload:1:2:3"
	sign := func(namespace, alg, text string) []byte {
		hash, known := sshsigHash(alg, []byte(text))
		if !known {
			hash = []byte(text)
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			f.Fatal(err)
		}
		sig, err := signer.Sign(rand.Reader, append([]byte(sshsigMagic), ssh.Marshal(sshsigSigned{Namespace: namespace, HashAlg: alg, Hash: string(hash)})...))
		if err != nil {
			f.Fatal(err)
		}
		blob := sshsigBlob{Version: 1, PublicKey: string(signer.PublicKey().Marshal()), Namespace: namespace, HashAlg: alg, Signature: string(ssh.Marshal(sig))}
		return append([]byte(sshsigMagic), ssh.Marshal(blob)...)
	}
	armor := func(raw []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: raw}) }
	for _, alg := range []string{"sha256", "sha512", "md5\x00\xff"} {
		for _, end := range []string{"", "\n"} {
			good := sign(sshNamespace, alg, text+end)
			if err := verifySSHSig(&key.PublicKey, sshNamespace, []byte(text), armor(good)); (err == nil) != strings.HasPrefix(alg, "sha") {
				f.Fatalf("%s: %v", alg, err)
			}
			f.Add(text, good, false)
			f.Add(text, armor(good), true)
		}
	}
	f.Add(text, sign("git", "sha512", text), false)
	f.Add(text, []byte(sshsigMagic), false)
	f.Add(text, []byte(strings.Repeat("-----BEGIN SSH SIGNATURE-----\n", 3)), true)
	f.Fuzz(func(t *testing.T, message string, raw []byte, armored bool) {
		if !armored {
			raw = armor(raw)
		}
		err := verifySSHSig(&key.PublicKey, sshNamespace, []byte(message), raw)
		if err == nil && strings.TrimSuffix(message, "\n") != text {
			t.Errorf("%q was not signed", message)
		}
		if err != nil && (domain.CodeOf(err) != domain.Invalid || !domain.Storable(err.Error())) {
			t.Errorf("a wrong signature is a fault of ours, or has no text: %q", err)
		}
	})
}
