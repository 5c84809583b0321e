package fleet

import (
	"net/http"
	"sync"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/portmux"
)

// mostSigners bounds the keys that are kept in parsed form.
const mostSigners = 100_000

// signers keeps enrolled public keys in parsed form, by their header: reading one costs as much as a third of a verification.
type signers struct {
	mu     sync.RWMutex
	byText map[string]*wire.Signer
}

// verify returns the key that signed a request. turn calls the check of a signature when it is its turn, and returns its error.
//
// A signature covers only its time. What makes it worth checking again on each request is that anyone may have sent that request. On a
// connection whose other end has proved that it holds the key ([wire.HeaderChannel]), only that one sends requests, so a signature would
// prove nothing new. Its time is checked by [wire.ReadClaim] and by the caller all the same.
func (s *signers) verify(r *http.Request, claim wire.Claim, turn func(check func() error) error) (*wire.Signer, error) {
	s.mu.RLock()
	signer := s.byText[claim.KeyText]
	s.mu.RUnlock()
	if signer == nil {
		var err error
		if signer, err = wire.ReadSigner(claim.KeyText); err != nil {
			return nil, err
		}
	}
	memory := portmux.MemoryOf(r.Context())
	if memory != nil && r.TLS != nil && memory.Proved(signer.Fingerprint) {
		return signer, nil
	}
	return signer, turn(func() error {
		if err := signer.Verify(claim); err != nil {
			return err
		}
		// A binding that does not fit is no error: a proxy between may have ended TLS.
		if bound := r.Header.Get(wire.HeaderChannel); bound != "" && memory != nil && r.TLS != nil && signer.VerifyChannel(*r.TLS, bound) == nil {
			memory.Prove(signer.Fingerprint)
		}
		return nil
	})
}

// keep keeps the key of a request that was let in. Keys of strangers leave nothing in memory.
func (s *signers) keep(text string, signer *wire.Signer) {
	s.mu.RLock()
	known := s.byText[text] != nil
	s.mu.RUnlock()
	if known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byText == nil || len(s.byText) >= mostSigners {
		s.byText = map[string]*wire.Signer{}
	}
	s.byText[text] = signer
}
