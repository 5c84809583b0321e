package runs

import (
	"context"
	"fmt"

	"blossomtune/internal/domain"
)

// Approvals returns where the SuperNodes of a federation stand with an app version whose owners decide or have decided.
func (s *Service) Approvals(ctx context.Context, fedID int64, hash string) (all []domain.NodeApproval, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { all, err = tx.NodeApprovals(ctx, fedID, hash); return err })
	return all, err
}

// ApprovalsCheck is the board's line for an app version that participants have to approve first. It reports false where none has to.
func ApprovalsCheck(all []domain.NodeApproval) (Check, bool) {
	given := 0
	var waiting, rejected, unasked someNodes
	for _, n := range all {
		switch {
		case n.State == domain.ApprovalRejected:
			rejected.name(n.Partition)
		case n.State == domain.ApprovalWaiting:
			waiting.name(n.Partition)
		case n.Asks() && n.State == domain.ApprovalGiven:
			given++
		case n.Asks():
			unasked.name(n.Partition)
		}
	}
	asks := given + waiting.n + rejected.n + unasked.n
	c := Check{Mark: Go, What: "Approvals", Needed: "by participants who decide",
		Found: fmt.Sprintf("%d of %d have approved this version", given, asks)}
	for _, part := range []struct {
		who       someNodes
		one, more string
	}{{waiting, "waits for its owner", "wait for their owners"}, {rejected, "has rejected it", "have rejected it"},
		{unasked, "was not asked yet", "were not asked yet"}} {
		what := part.more
		if part.who.n == 1 {
			what = part.one
		}
		if part.who.n > 0 {
			c.Mark = Caution
			c.Found += "; " + part.who.String() + " " + what
		}
	}
	if c.Mark == Caution {
		c.Fix = "Their owners are mailed when it waits, and approve it on their machines. Until then they answer with an error."
	}
	return c, asks > 0
}

// name adds a SuperNode; those come by partition.
func (s *someNodes) name(partition int) {
	if s.n++; len(s.first) < named {
		s.first = append(s.first, partition)
	}
}
