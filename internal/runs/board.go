package runs

import (
	"context"
	"fmt"
	"strings"

	"blossomtune/internal/domain"
)

// Mark is the verdict of one line of the go/no-go board.
type Mark string

// Marks of the board.
const (
	Go      Mark = "go"
	Caution Mark = "caution"
	NoGo    Mark = "no_go"
)

// Check is one line of the go/no-go board: what a launch needs and what was found.
type Check struct {
	Mark   Mark
	What   string // "SuperLink"
	Needed string
	Found  string
	Fix    string            // what to do; empty where nothing needs doing
	Nodes  domain.NodeStatus // of the SuperNodes that stand against a launch; empty for none
}

// Board says whether a launch in the federation can go: the worst mark of its checks is the verdict.
func (s *Service) Board(ctx context.Context, fedID int64) (verdict Mark, checks []Check, err error) {
	var fed domain.Federation
	var nodes boardNodes
	var active []domain.Run
	err = s.Store.View(ctx, func(tx Tx) error {
		if fed, err = tx.FederationByID(ctx, fedID); err != nil {
			return err
		}
		if nodes, err = s.boardNodes(ctx, tx, fedID); err != nil {
			return err
		}
		active, err = tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Queued, domain.Starting, domain.Running}, Limit: 100})
		return err
	})
	if err != nil {
		return NoGo, nil, err
	}
	checks = []Check{s.superLinkCheck(fed), nodes.check(), s.versionsCheck(nodes), queueCheck(fed, active)}
	if s.Disk != nil {
		if err := s.Disk(); err != nil {
			checks = append(checks, diskCheck(err))
		}
	}
	return Verdict(checks), checks, nil
}

// TotalCheck is the board's line for a run that is to be made again after its federation's total of partitions has changed. It
// reports false where the total is the same.
func TotalCheck(fed domain.Federation, from domain.Run) (Check, bool) {
	if from.ID == 0 || from.TotalPartitions == fed.TotalPartitions {
		return Check{}, false
	}
	return Check{Mark: Caution, What: "Partitions", Needed: fmt.Sprintf("%d, as in %s", from.TotalPartitions, from.Name), Found: fmt.Sprintf("%d now", fed.TotalPartitions),
		Fix: fmt.Sprintf("Each SuperNode splits its data by the new total, so results differ from those of %s.", from.Name)}, true
}

// Verdict is the worst mark of some checks.
func Verdict(checks []Check) Mark {
	verdict := Go
	for _, c := range checks {
		if c.Mark == NoGo || c.Mark == Caution && verdict == Go {
			verdict = c.Mark
		}
	}
	return verdict
}

func diskCheck(err error) Check {
	c := Check{Mark: NoGo, What: "Server", Needed: "space for the run's files"}
	if es := (domain.Errors{}).With(err); len(es) > 0 {
		c.Found, c.Fix = es[0].Message, es[0].Remedy
	}
	return c
}

func (s *Service) superLinkCheck(fed domain.Federation) Check {
	c := Check{Mark: Go, What: "SuperLink", Needed: "up"}
	st := s.Engine.Status(fed.ID)
	c.Found = string(st.State)
	switch st.State {
	case domain.SuperLinkUp:
		if st.Leaving {
			c.Mark, c.Found, c.Fix = Caution, "up, about to restart", st.Reason
		}
	case domain.SuperLinkStopped:
		if fed.EngineIdle {
			c.Found, c.Fix = "stopped, idle", "It starts with the run."
			return c
		}
		c.Mark, c.Fix = NoGo, "A manager starts it on the federation's page."
	case domain.SuperLinkStarting, domain.SuperLinkRestarting:
		c.Mark, c.Fix = Caution, "Wait some seconds; a queued run starts automatically."
	case domain.SuperLinkUnreachable:
		c.Mark, c.Fix = Caution, "It runs but does not answer at the moment; a queued run starts when it does."
	default:
		c.Mark, c.Fix = NoGo, strings.TrimSpace(st.Reason+" Look at the SuperLink's log; then a manager starts it on the federation's page.")
	}
	return c
}

func queueCheck(fed domain.Federation, active []domain.Run) Check {
	c := Check{Mark: Go, What: "Queue", Needed: "nothing ahead", Found: "nothing ahead"}
	if n := len(active); n >= max(fed.Parallel, 1) {
		c.Mark, c.Found, c.Fix = Caution, fmt.Sprintf("%d ahead", n), "It is queued and starts automatically."
	}
	return c
}
