package onboarding

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// Suspend makes the SuperNode of an approved request wait: its key is answered with "try again" until it is resumed. The reason
// is mailed to its participant.
func (s *Service) Suspend(ctx context.Context, actor domain.Actor, requestID int64, reason string) (domain.NodeKey, error) {
	if reason = domain.Text(reason); reason == "" || len(reason) > maxMessage {
		return domain.NodeKey{}, domain.Errorf(domain.Invalid, "Give a reason of up to %d bytes; it is mailed to the person.", maxMessage).
			At("reason")
	}
	return s.changeKey(ctx, actor, requestID, "node_key.suspended", func(tx Tx, e Enrolment, k *domain.NodeKey) error {
		if !k.SuspendedAt.IsZero() {
			return domain.Errorf(domain.Conflict, "The SuperNode of %s is suspended already.", e.Request.Name)
		}
		k.SuspendedAt, k.Reason = s.now(), reason
		return s.mail(ctx, tx, e.Request.Email, s.suspendedMail(e.Federation, e.Request, reason))
	})
}

// Resume ends a suspension: the SuperNode goes on with its next try, at most half a minute later.
func (s *Service) Resume(ctx context.Context, actor domain.Actor, requestID int64) (domain.NodeKey, error) {
	return s.changeKey(ctx, actor, requestID, "node_key.resumed", func(_ Tx, e Enrolment, k *domain.NodeKey) error {
		if k.SuspendedAt.IsZero() {
			return domain.Errorf(domain.Conflict, "The SuperNode of %s is not suspended.", e.Request.Name)
		}
		k.SuspendedAt, k.Reason = time.Time{}, ""
		return nil
	})
}

func (s *Service) changeKey(ctx context.Context, actor domain.Actor, requestID int64, action string,
	change func(Tx, Enrolment, *domain.NodeKey) error) (domain.NodeKey, error) {
	var k domain.NodeKey
	var e Enrolment
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if e, err = s.enrolment(ctx, tx, requestID); err != nil {
			return err
		}
		if k, err = tx.NodeKeyOfRequest(ctx, requestID); err != nil {
			if domain.CodeOf(err) == domain.NotFound {
				return domain.Errorf(domain.Conflict, "%s has no SuperNode yet.", e.Request.Name)
			}
			return err
		}
		if err := change(tx, e, &k); err != nil {
			return err
		}
		if err := tx.UpdateNodeKey(ctx, k); err != nil {
			return err
		}
		return tx.InsertAudit(ctx,
			domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "node_key", ObjectID: k.Fingerprint,
				FederationID: k.FederationID,
				Detail:       map[string]string{"request": e.Request.Ref, "partition": fmt.Sprint(k.Partition), "reason": k.Reason}})
	})
	if err == nil {
		s.MailWake()
		s.keyChanged(e.Request)
	}
	return k, err
}
