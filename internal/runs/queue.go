package runs

import (
	"context"
	"slices"
	"strconv"

	"blossomtune/internal/domain"
)

// Queue returns the queued runs of a federation, the next first. A run that is planned for later keeps its place and lets those
// behind it go ahead until then.
func (s *Service) Queue(ctx context.Context, fedID int64) (out []domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.QueuedRuns(ctx, fedID); return err })
	return out, err
}

// Move gives a queued run another place in its queue: 1 is the next, and a place beyond the end is the last. A run that is not
// queued any more is a [domain.Conflict].
func (s *Service) Move(ctx context.Context, actor domain.Actor, id int64, place int) (domain.Run, error) {
	if place < 1 {
		return domain.Run{}, domain.Errorf(domain.Invalid, "Places in the queue begin with 1.").At("place")
	}
	var run domain.Run
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if run, err = tx.RunByID(ctx, id); err != nil {
			return err
		}
		queue, err := tx.QueuedRuns(ctx, run.FederationID)
		if err != nil {
			return err
		}
		from := slices.IndexFunc(queue, func(r domain.Run) bool { return r.ID == id })
		if from < 0 {
			return domain.Errorf(domain.Conflict, "%s is %s, not queued.", run.Name, run.State)
		}
		to := min(place, len(queue)) - 1
		if to == from {
			return nil
		}
		if run, err = reorder(ctx, tx, queue, from, to); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.reporter.Entry(actor, run, "run.moved",
			map[string]string{"from": strconv.Itoa(from + 1), "to": strconv.Itoa(to + 1)}))
	})
	if err != nil {
		return domain.Run{}, err
	}
	s.reporter.Publish(run, "state")
	s.Wake(run.FederationID)
	return run, nil
}

// reorder deals the places that the queue has out anew, so that whoever comes later is still the last.
func reorder(ctx context.Context, tx Tx, queue []domain.Run, from, to int) (moved domain.Run, err error) {
	places := make([]int64, len(queue))
	for i, r := range queue {
		places[i] = r.Place
	}
	run := queue[from]
	queue = slices.Insert(slices.Delete(queue, from, from+1), to, run)
	for i, r := range queue {
		if r.Place == places[i] {
			continue
		}
		r.Place = places[i]
		if err := tx.UpdateRun(ctx, r); err != nil {
			return run, err
		}
		if r.ID == run.ID {
			run = r
		}
	}
	return run, nil
}
