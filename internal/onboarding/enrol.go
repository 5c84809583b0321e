package onboarding

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
)

// NewJoinToken makes the token of a join command for an approved request. Its text is given out once; earlier unused tokens of
// the request stop working.
func (s *Service) NewJoinToken(ctx context.Context, actor domain.Actor, requestID int64) (text string, expires time.Time, err error) {
	public, secret := randomHex(8), randomHex(24)
	t := domain.JoinToken{Public: public, RequestID: requestID, Hash: tokenHash(secret), CreatedAt: s.now(), ExpiresAt: s.now().
		Add(domain.JoinTokenLife)}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		r, err := tx.RequestByID(ctx, requestID)
		if err != nil {
			return err
		}
		if r.State != domain.Approved {
			return domain.Errorf(domain.Conflict, "This request is %s; only an approved one gets a join command.", r.State)
		}
		if err := tx.DropJoinTokens(ctx, requestID); err != nil {
			return err
		}
		if err := tx.InsertJoinToken(ctx, &t); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(actor, r, "join_token.made", map[string]string{"token": public}))
	})
	return s.Pin() + "." + public + "." + secret, t.ExpiresAt, err
}

func randomHex(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

func tokenHash(secret string) []byte {
	sum := sha256.Sum256([]byte("blossomtune-join:" + secret))
	return sum[:]
}

// EnrolInput is what an agent sends.
type EnrolInput struct {
	Token     string
	PublicKey []byte // PEM
	Proof     string // base64 of an ECDSA signature over the SHA-256 of "blossomtune-enrol:" and the token's id
}

// Enrolment is what a participant's machine needs to know.
type Enrolment struct {
	Federation domain.Federation
	Request    domain.Request
	Key        domain.NodeKey
}

// Enrol binds a key to the approved request of a join token. The token is used up only on success, and the same key may come
// again with it: then the answer is the same. A key that the request had before is revoked. A key that was ever enrolled,
// anywhere, is a [domain.Conflict].
func (s *Service) Enrol(ctx context.Context, in EnrolInput) (Enrolment, error) {
	refused := domain.Errorf(domain.Expired, "This join token does not work (any more).").Fix("Make a new command on your status page.").
		At("token")
	parts := strings.Split(domain.Line(in.Token), ".")
	if len(parts) != 3 {
		return Enrolment{}, refused
	}
	key, fp, err := domain.ParseNodeKey(in.PublicKey)
	if err != nil {
		return Enrolment{}, err
	}
	if err := checkProof(key, parts[1], in.Proof); err != nil {
		return Enrolment{}, err
	}
	var out Enrolment
	changed := false
	err = s.Store.InTx(ctx, func(tx Tx) error {
		changed = false
		t, err := tx.JoinTokenByPublic(ctx, parts[1])
		if domain.CodeOf(err) == domain.NotFound {
			return refused
		}
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(t.Hash, tokenHash(parts[2])) != 1 || s.now().After(t.ExpiresAt) {
			return refused
		}
		if out, err = s.enrolment(ctx, tx, t.RequestID); err != nil {
			return err
		}
		if !t.UsedAt.IsZero() {
			k, err := tx.NodeKeyOfRequest(ctx, t.RequestID)
			if err == nil && k.Fingerprint == fp {
				out.Key = k
				return nil
			}
			return refused
		}
		if err := tx.UseJoinToken(ctx, t.ID, s.now()); err != nil {
			return err
		}
		changed = true
		out.Key, err = s.putKey(ctx, tx, domain.Actor{Kind: "node", Name: fmt.Sprintf("partition %d", out.Request.Partition)}, out.Request, key,
			fp, "agent")
		return err
	})
	if err != nil {
		return Enrolment{}, err
	}
	if changed {
		s.keyChanged(out.Request)
	}
	return out, nil
}

func checkProof(key *ecdsa.PublicKey, tokenID, proof string) error {
	sig, err := base64.StdEncoding.DecodeString(proof)
	sum := domain.EnrolmentDigest(tokenID)
	if err != nil || !ecdsa.VerifyASN1(key, sum[:], sig) {
		return domain.Errorf(domain.Invalid, "The proof does not show that the key is yours.").Fix("Run the join command again.").At("proof")
	}
	return nil
}

// enrolment reads an approved request with its federation.
func (s *Service) enrolment(ctx context.Context, tx Tx, requestID int64) (Enrolment, error) {
	r, err := tx.RequestByID(ctx, requestID)
	if err != nil {
		return Enrolment{}, err
	}
	if r.State != domain.Approved {
		return Enrolment{}, domain.Errorf(domain.Conflict, "This request is %s, not approved.", r.State).Fix("Look at your status page.")
	}
	fed, err := tx.FederationByID(ctx, r.FederationID)
	return Enrolment{Federation: fed, Request: r}, err
}

// putKey enrols a key in place of the one that the request had. One that was ever enrolled is refused by the database.
func (s *Service) putKey(ctx context.Context, tx Tx, actor domain.Actor, r domain.Request, key *ecdsa.PublicKey, fp,
	via string) (domain.NodeKey, error) {
	text, _, err := domain.NodeKeyPEM(key)
	if err != nil {
		return domain.NodeKey{}, err
	}
	if err := s.revokeKey(ctx, tx, r.ID); err != nil {
		return domain.NodeKey{}, err
	}
	k := domain.NodeKey{FederationID: r.FederationID, RequestID: r.ID, Partition: r.Partition, PublicPEM: text, Fingerprint: fp, Via: via,
		CreatedAt: s.now()}
	if err := tx.InsertNodeKey(ctx, &k); err != nil {
		return k, err
	}
	return k, tx.InsertAudit(ctx,
		domain.AuditEntry{At: s.now(), Actor: actor, Action: "node_key.enrolled", ObjectKind: "node_key", ObjectID: fp,
			FederationID: r.FederationID,
			Detail:       map[string]string{"request": r.Ref, "partition": fmt.Sprint(r.Partition), "via": via}})
}

func (s *Service) keyChanged(r domain.Request) {
	s.NodesChanged(r.FederationID)
	s.Events.Publish(events.Event{Topic: RequestTopic(r.ID), Kind: "node"})
	s.Events.Publish(events.Event{Topic: RequestsTopic(r.FederationID), Kind: "node"})
}

// EnrolmentOf returns what the machine with a good key needs to know; a revoked or unknown key is [domain.Unauthenticated].
func (s *Service) EnrolmentOf(ctx context.Context, fingerprint string) (Enrolment, error) {
	refused := domain.Errorf(domain.Unauthenticated, "This key is not accepted.").Fix("Look at your status page for the reason.")
	var out Enrolment
	err := s.Store.View(ctx, func(tx Tx) error {
		k, err := tx.NodeKeyByFingerprint(ctx, fingerprint)
		if domain.CodeOf(err) == domain.NotFound || err == nil && !k.RevokedAt.IsZero() {
			return refused
		}
		if err != nil {
			return err
		}
		if out, err = s.enrolment(ctx, tx, k.RequestID); domain.CodeOf(err) == domain.Conflict {
			return refused
		}
		out.Key = k
		return err
	})
	return out, err
}

// Rotate puts a new key in the place of a good one, on that one's word: the request, its approval and its partition stay. proof shows
// that the new key is the caller's too: a signature over the fingerprint of the old one.
func (s *Service) Rotate(ctx context.Context, e Enrolment, publicKey []byte, proof string) (Enrolment, error) {
	key, fp, err := domain.ParseNodeKey(publicKey)
	if err == nil {
		err = checkProof(key, e.Key.Fingerprint, proof)
	}
	if err != nil {
		return e, err
	}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		old, err := tx.NodeKeyOfRequest(ctx, e.Request.ID)
		if err != nil || old.Fingerprint != e.Key.Fingerprint {
			return domain.Errorf(domain.Conflict, "This key was replaced meanwhile.").Because(err)
		}
		if e, err = s.enrolment(ctx, tx, e.Request.ID); err != nil {
			return err
		}
		e.Key, err = s.putKey(ctx, tx, domain.Actor{Kind: "node", Name: fmt.Sprintf("partition %d", e.Request.Partition)}, e.Request, key, fp,
			old.Via)
		return err
	})
	if err == nil {
		s.keyChanged(e.Request)
	}
	return e, err
}

// Leave ends a key on the word of the machine that holds it. The request stays approved: its owner can connect again with a new key.
func (s *Service) Leave(ctx context.Context, e Enrolment) error {
	err := s.Store.InTx(ctx, func(tx Tx) error {
		if err := s.revokeKey(ctx, tx, e.Request.ID); err != nil {
			return err
		}
		actor := domain.Actor{Kind: "node", Name: fmt.Sprintf("partition %d", e.Request.Partition)}
		return tx.InsertAudit(ctx,
			domain.AuditEntry{At: s.now(), Actor: actor, Action: "node_key.left", ObjectKind: "node_key", ObjectID: e.Key.Fingerprint,
				FederationID: e.Request.FederationID,
				Detail:       map[string]string{"request": e.Request.Ref}})
	})
	if err == nil {
		s.keyChanged(e.Request)
	}
	return err
}
