package onboarding

import (
	"context"
	"fmt"
	"slices"

	"blossomtune/internal/domain"
)

// NextFreePartition as a partition means: the lowest that nobody holds.
const NextFreePartition = -1

// Approve gives each request a partition: the named one (then it is one request), or with [NextFreePartition] the lowest free
// ones in the order of the ids. All are approved, or none. A partition that somebody else just got is a [domain.Conflict]
// that names the holder and the next free one.
func (s *Service) Approve(ctx context.Context, actor domain.Actor, ids []int64, partition int) ([]domain.Request, error) {
	if len(ids) == 0 || partition != NextFreePartition && len(ids) > 1 {
		return nil, domain.Errorf(domain.Invalid, "Name one request for one partition, or several for the next free ones.").At("partition")
	}
	var out []domain.Request
	err := s.Store.InTx(ctx, func(tx Tx) error {
		out = nil
		for _, id := range ids {
			r, err := s.approve(ctx, tx, actor, id, partition)
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.MailWake()
	s.publish(out...)
	return out, nil
}

func (s *Service) approve(ctx context.Context, tx Tx, actor domain.Actor, id int64, partition int) (domain.Request, error) {
	r, err := tx.RequestByID(ctx, id)
	if err != nil {
		return r, err
	}
	fed, err := tx.FederationByID(ctx, r.FederationID)
	if err != nil {
		return r, err
	}
	if !r.State.May(domain.Approved) {
		return r, domain.Errorf(domain.Conflict, "The request of %s is %s, not pending.", r.Name, r.State)
	}
	if partition, err = choose(ctx, tx, fed, partition); err != nil {
		return r, err
	}
	r.Partition, r.DecidedAt, r.DecidedBy = partition, s.now(), actor.Name
	if err := s.transition(ctx, tx, actor, &r, domain.Approved, map[string]string{"partition": fmt.Sprint(partition)}); err != nil {
		return r, err
	}
	return r, s.mail(ctx, tx, r.Email, s.approvedMail(fed, r))
}

func choose(ctx context.Context, tx Tx, fed domain.Federation, partition int) (int, error) {
	held, err := tx.PartitionsHeld(ctx, fed.ID)
	if err != nil {
		return 0, err
	}
	free := nextFree(held, fed.TotalPartitions, 1)
	if partition == NextFreePartition {
		if len(free) == 0 {
			return 0, domain.Errorf(domain.Conflict, "All %d partitions of %s are assigned.", fed.TotalPartitions,
				fed.Name).Fix("Raise the number of partitions, or revoke someone's access.").At("partition")
		}
		return free[0], nil
	}
	if partition < 0 || partition >= fed.TotalPartitions {
		return 0, domain.Errorf(domain.Invalid, "%s has the partitions 0 to %d; there is no %d.", fed.Name, fed.TotalPartitions-1, partition).
			At("partition")
	}
	if _, taken := slices.BinarySearch(held, partition); !taken {
		return partition, nil
	}
	holder, err := tx.Holder(ctx, fed.ID, partition)
	if err != nil {
		return 0, err
	}
	e := domain.Errorf(domain.Conflict, "Partition %d just went to %s.", partition, holder.Name).At("partition")
	if len(free) > 0 {
		e.Message = fmt.Sprintf("Partition %d just went to %s; next free is %d.", partition, holder.Name, free[0])
	}
	return 0, e
}

// nextFree returns the lowest n partitions of total that are not among held, which rises.
func nextFree(held []int, total, n int) []int {
	var out []int
	for p := 0; p < total && len(out) < n; p++ {
		if len(held) > 0 && held[0] == p {
			held = held[1:]
			continue
		}
		out = append(out, p)
	}
	return out
}

// Reject turns a pending request down; the reason is mailed.
func (s *Service) Reject(ctx context.Context, actor domain.Actor, id int64, reason string) (domain.Request, error) {
	if reason = domain.Text(reason); reason == "" || len(reason) > maxMessage {
		return domain.Request{}, domain.Errorf(domain.Invalid, "Give a reason of up to %d bytes; it is mailed to the person.", maxMessage).
			At("reason")
	}
	return s.decide(ctx, id, func(tx Tx, fed domain.Federation, r *domain.Request) error {
		r.Reason, r.DecidedAt, r.DecidedBy = reason, s.now(), actor.Name
		if err := s.transition(ctx, tx, actor, r, domain.Rejected, map[string]string{"reason": reason}); err != nil {
			return err
		}
		return s.mail(ctx, tx, r.Email, s.rejectedMail(fed, *r))
	})
}

// Revoke ends an approved participant's access: the partition is free again, the keys are refused for ever.
func (s *Service) Revoke(ctx context.Context, actor domain.Actor, id int64, reason string) (domain.Request, error) {
	if reason = domain.Text(reason); reason == "" || len(reason) > maxMessage {
		return domain.Request{}, domain.Errorf(domain.Invalid, "Give a reason of up to %d bytes; it is mailed to the person.", maxMessage).
			At("reason")
	}
	r, err := s.decide(ctx, id, func(tx Tx, fed domain.Federation, r *domain.Request) error {
		r.Reason, r.DecidedAt, r.DecidedBy = reason, s.now(), actor.Name
		if err := s.transition(ctx, tx, actor, r, domain.Revoked,
			map[string]string{"reason": reason, "partition": fmt.Sprint(r.Partition)}); err != nil {
			return err
		}
		if err := s.revokeKey(ctx, tx, r.ID); err != nil {
			return err
		}
		if err := tx.DropJoinTokens(ctx, r.ID); err != nil {
			return err
		}
		return s.mail(ctx, tx, r.Email, s.revokedMail(fed, *r))
	})
	if err == nil {
		s.NodesChanged(r.FederationID)
	}
	return r, err
}

// revokeKey ends a request's good key, if it has one.
func (s *Service) revokeKey(ctx context.Context, tx Tx, requestID int64) error {
	k, err := tx.NodeKeyOfRequest(ctx, requestID)
	if domain.CodeOf(err) == domain.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	k.RevokedAt = s.now()
	return tx.UpdateNodeKey(ctx, k)
}

// Withdraw ends the person's own request before it is decided.
func (s *Service) Withdraw(ctx context.Context, actor domain.Actor, id int64) (domain.Request, error) {
	return s.decide(ctx, id, func(tx Tx, _ domain.Federation, r *domain.Request) error {
		if actor.PersonID != r.PersonID {
			return domain.Errorf(domain.NotFound, "There is no such request.")
		}
		r.DecidedAt = s.now()
		return s.transition(ctx, tx, actor, r, domain.Withdrawn, nil)
	})
}

func (s *Service) decide(ctx context.Context, id int64, change func(Tx, domain.Federation, *domain.Request) error) (domain.Request, error) {
	var r domain.Request
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if r, err = tx.RequestByID(ctx, id); err != nil {
			return err
		}
		fed, err := tx.FederationByID(ctx, r.FederationID)
		if err != nil {
			return err
		}
		return change(tx, fed, &r)
	})
	if err != nil {
		return domain.Request{}, err
	}
	s.MailWake()
	s.publish(r)
	return r, nil
}

// ExpireOld ends the unverified requests whose time has run out and returns how many there were.
func (s *Service) ExpireOld(ctx context.Context) (int, error) {
	var out []domain.Request
	err := s.Store.InTx(ctx, func(tx Tx) error {
		out = nil
		if err := tx.DropAsksBefore(ctx, s.now().Add(-domain.RequestsLife)); err != nil {
			return err
		}
		old, err := tx.UnverifiedBefore(ctx, s.now())
		if err != nil {
			return err
		}
		for _, r := range old {
			if err := s.transition(ctx, tx, domain.System, &r, domain.ExpiredReq, nil); err != nil {
				return err
			}
			out = append(out, r)
		}
		return nil
	})
	s.publish(out...)
	return len(out), err
}
