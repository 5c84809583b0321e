package servertest

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/server"
	"blossomtune/internal/store"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"
)

// KeyOf gives an approved request a key.
func KeyOf(t testing.TB, a *server.Server, fedID, requestID int64) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, fingerprint, err := domain.NodeKeyPEM(&key.PublicKey)
	if err == nil {
		err = a.DB.InTx(t.Context(), func(tx *store.Tx) error {
			k := domain.NodeKey{FederationID: fedID, RequestID: requestID, PublicPEM: public, Fingerprint: fingerprint, Via: "agent",
				CreatedAt: time.Now()}
			return tx.InsertNodeKey(t.Context(), &k)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}
