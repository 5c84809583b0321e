package runs

import (
	"context"
	"fmt"
	"strings"

	"blossomtune/internal/domain"
)

// Approvals returns where each SuperNode of a federation stands with an app version.
func (s *Service) Approvals(ctx context.Context, fedID int64, hash string) (all []domain.NodeApproval, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { all, err = tx.NodeApprovals(ctx, fedID, hash); return err })
	return all, err
}

// ApprovalsCheck is the board's line for an app version that participants have to approve first. It reports false where none has to.
func ApprovalsCheck(all []domain.NodeApproval) (Check, bool) {
	var given, waiting, rejected, unasked []string
	for _, n := range all {
		part := fmt.Sprint(n.Partition)
		switch {
		case n.State == domain.ApprovalRejected:
			rejected = append(rejected, part)
		case n.State == domain.ApprovalWaiting:
			waiting = append(waiting, part)
		case n.Asks() && n.State == domain.ApprovalGiven:
			given = append(given, part)
		case n.Asks():
			unasked = append(unasked, part)
		}
	}
	asks := len(given) + len(waiting) + len(rejected) + len(unasked)
	c := Check{Mark: Go, What: "Approvals", Needed: "by participants who decide", Found: fmt.Sprintf("%d of %d have approved this version", len(given), asks)}
	for _, part := range []struct {
		who  []string
		what string
	}{{waiting, "waits for its owner"}, {rejected, "has rejected it"}, {unasked, "was not asked yet"}} {
		if len(part.who) > 0 {
			c.Mark = Caution
			c.Found += "; partition " + strings.Join(part.who, ", ") + " " + part.what
		}
	}
	if c.Mark == Caution {
		c.Fix = "Their owners are mailed when it waits, and approve it on their machines. Until then they answer with an error."
	}
	return c, asks > 0
}
