package agent

import (
	"context"
	"crypto/ecdsa"
	"net/http"
	"os"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// nextKey is a key that takes the place of the enrolled one; it is on disk before the server hears of it.
func (h home) nextKey(tokenID string) string { return h.keyFile(tokenID) + ".next" }

// rotate puts a new key in the place of the enrolled one: the approval and the partition stay. A try that was interrupted is
// finished: whichever of the two keys the server knows is used.
func (n *node) rotate(ctx context.Context) error {
	key, _, err := loadOrMakeKey(n.h.nextKey(n.st.TokenID))
	if err != nil {
		return err
	}
	public, err := publicPEM(key)
	if err != nil {
		return err
	}
	_, fingerprint, err := wire.ParsePublicKey(n.pem)
	if err != nil {
		return err
	}
	proof, err := prove(key, fingerprint)
	if err != nil {
		return err
	}
	var got client.Enrolment
	err = n.j.srv.call(ctx, n.conn.client(), http.MethodPost, "/agent/key",
		client.RotateKey{PublicKey: string(public), Proof: proof}, n.signed, &got)
	if err != nil {
		return err
	}
	n.j.say("This machine has a new key; the old one is refused from now on.")
	return n.use(key, public)
}

// use takes the next key into use.
func (n *node) use(key *ecdsa.PrivateKey, public []byte) error {
	store, err := n.h.approvals(n.st)
	if err != nil {
		return err
	}
	if err := store.Rekey(key); err != nil { // approvals that were changed stay refused
		if _, ok := approval.IsRefusal(err); !ok {
			return err
		}
	}
	if err := os.Rename(n.h.nextKey(n.st.TokenID), n.h.keyFile(n.st.TokenID)); err != nil {
		return err
	}
	n.sign, n.pem, n.st.NodeID = n.j.signer(key), public, 0
	return n.h.save(n.st)
}

// finishRotation takes the next key into use if an interrupted rotation has brought it to the server.
func (n *node) finishRotation(ctx context.Context) error {
	key, err := loadKey(n.h.nextKey(n.st.TokenID))
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	public, err := publicPEM(key)
	if err != nil {
		return err
	}
	old := n.sign
	n.sign = n.j.signer(key)
	_, reached, err := n.ask(ctx)
	n.sign = old
	if reached && err == nil {
		return n.use(key, public)
	}
	if domain.CodeOf(err) == domain.Forbidden { // the server never heard of it
		return os.Remove(n.h.nextKey(n.st.TokenID))
	}
	return nil
}
