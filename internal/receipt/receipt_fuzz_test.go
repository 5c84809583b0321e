package receipt

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"blossomtune/internal/domain"
)

// FuzzOpen reads any receipt. With our key nothing but what we signed is taken.
func FuzzOpen(f *testing.F) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)) // the same in every process of a fuzz run
	key := private.Public().(ed25519.PublicKey)
	pem, err := encodeKey(key)
	if err != nil {
		f.Fatal(err)
	}
	s := &Signer{key: private, pem: pem, id: KeyID(key)}
	signed, err := s.Sign(statement())
	if err != nil {
		f.Fatal(err)
	}
	if _, _, err := Open(signed, key); err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte(`{"payloadType":"","payload":"","publicKey":"","signatures":[{}]}`))
	f.Add([]byte(s.PublicKey()))
	f.Fuzz(func(t *testing.T, text []byte) {
		st, _, err := Open(text, key)
		if err == nil && st.Predicate.Run != "cnn-1" {
			t.Errorf("what we did not sign is taken: %+v", st)
		}
		if code := domain.CodeOf(err); err != nil && code != domain.Invalid && code != domain.Forbidden {
			t.Errorf("an error that is not told: %v", err)
		}
		_, _, _ = Open(text, nil)
		_, _ = ParseKey(text)
	})
}
