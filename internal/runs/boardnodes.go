package runs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// boardNodes is what the board says of a federation's SuperNodes: their numbers, and the first of those that stand against a launch.
type boardNodes struct {
	tally  domain.NodeTally
	away   someNodes // offline, suspended or never seen
	stuck  someNodes
	remedy string // for the stuck ones
	old    []oldRelease
}

// someNodes are the partitions of some SuperNodes: how many, and the first ones.
type someNodes struct {
	n     int
	first []int
	key   domain.NodeKey // of one of them
}

// oldRelease is a version of flwr that takes no part in a run, with the SuperNodes online that have it.
type oldRelease struct {
	someNodes
	why string
}

// named is how many partitions a line of the board names.
const named = 8

// String names the partitions: "partition 3", "partitions 1, 4 and 290 more".
func (s someNodes) String() string {
	if s.n > len(s.first) {
		words := make([]string, len(s.first))
		for i, p := range s.first {
			words[i] = fmt.Sprint(p)
		}
		return fmt.Sprintf("partitions %s and %d more", strings.Join(words, ", "), s.n-len(s.first))
	}
	return diagnose.Partitions(slices.Clone(s.first))
}

func (s *Service) boardNodes(ctx context.Context, tx Tx, fedID int64) (b boardNodes, err error) {
	if b.tally, err = tx.NodeTally(ctx, fedID); err != nil {
		return b, err
	}
	f := domain.NodeFilter{FederationID: fedID}
	for _, status := range []domain.NodeStatus{domain.NodeOffline, domain.NodeSuspended, domain.NodeNeverSeen} {
		f.Status = status
		if err := b.away.add(ctx, tx, b.tally.By[status], f); err != nil {
			return b, err
		}
	}
	f.Status = domain.NodeStuck
	if err := b.stuck.add(ctx, tx, b.tally.By[domain.NodeStuck], f); err != nil {
		return b, err
	}
	_, b.remedy = b.stuck.key.Stuck()
	f.Status = domain.NodeOnline
	for _, flwr := range slices.Sorted(maps.Keys(b.tally.Releases)) {
		good, why := s.takesPart(flwr)
		if good {
			continue
		}
		old, f := oldRelease{why: why}, f
		f.Release = flwr
		if err := old.add(ctx, tx, b.tally.Releases[flwr], f); err != nil {
			return b, err
		}
		b.old = append(b.old, old)
	}
	return b, nil
}

// takesPart says whether a SuperNode that is online takes part in runs with a version of flwr, and if not, why.
func (s *Service) takesPart(flwr string) (good bool, why string) {
	good, why, _ = domain.NodeKey{Seen: domain.NodeSeen{FirstAt: s.Clock(), Online: true, Flwr: flwr}}.Verdict(s.Flwr)
	return good, why
}

// add takes the SuperNodes that a filter chooses, of which there are n.
func (s *someNodes) add(ctx context.Context, tx Tx, n int, f domain.NodeFilter) error {
	if n == 0 {
		return nil
	}
	f.Limit = named
	rows, err := tx.NodePage(ctx, f)
	for _, r := range rows {
		s.first, s.key = append(s.first, r.Holder.Partition), r.Key
	}
	slices.Sort(s.first)
	s.first = s.first[:min(len(s.first), named)]
	s.n += n
	return err
}

func (b boardNodes) check() Check {
	online := b.tally.By[domain.NodeOnline]
	c := Check{Mark: Go, What: "SuperNodes", Needed: "at least 1 online", Found: fmt.Sprintf("%d online", online)}
	if online == 0 {
		c.Mark, c.Fix = Caution, "The run waits until a SuperNode is online."
	}
	if b.away.n > 0 && online > 0 {
		c.Mark, c.Found = Caution, c.Found+", "+b.away.String()+" offline"
		c.Fix = "The run continues without them if the app's strategy allows it."
	}
	if b.stuck.n > 0 {
		c.Mark, c.Found = Caution, c.Found+", "+b.stuck.String()+" stuck"
		c.Fix = strings.TrimSpace("A run that asks a stuck SuperNode waits for it. " + b.remedy + " " + c.Fix)
	}
	for _, status := range []domain.NodeStatus{domain.NodeStuck, domain.NodeOffline, domain.NodeNeverSeen, domain.NodeSuspended} {
		if b.tally.By[status] > 0 {
			c.Nodes = status
			break
		}
	}
	return c
}

// versionsCheck is about what the SuperNodes that are online run.
func (s *Service) versionsCheck(b boardNodes) Check {
	c := Check{Mark: Go, What: "Versions", Needed: "flwr " + s.Flwr, Found: "all compatible"}
	var wrong []string
	for _, old := range b.old {
		wrong = append(wrong, old.String()+": "+old.why)
	}
	if len(wrong) > 0 {
		c.Mark, c.Found, c.Fix = Caution, strings.Join(wrong, "; "),
			"Their owners update blossomtune and connect again, or suspend them for this run."
	}
	return c
}
