package receipt

import (
	"testing"

	"blossomtune/internal/domain"
)

// FuzzOpen reads any receipt. With our key nothing but what we signed is taken.
func FuzzOpen(f *testing.F) {
	s, err := OpenSigner(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	signed, err := s.Sign(statement())
	if err != nil {
		f.Fatal(err)
	}
	key, err := ParseKey([]byte(s.PublicKey()))
	if err != nil {
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
