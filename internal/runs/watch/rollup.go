package watch

import (
	"context"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs/report"
	"blossomtune/internal/safely"
)

// rollers bring the bands of runs up to date in the background: no page waits for it, and however many look at a run, it is done once.
type rollers struct {
	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup

	mu   sync.Mutex
	busy map[int64]bool // by run; true: something has come meanwhile
	one  sync.Mutex     // held for one step: they write, and others want to write, too
}

func newRollers() *rollers {
	r := &rollers{busy: map[int64]bool{}}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r
}

func (r *rollers) stop() {
	r.end()
	r.wg.Wait()
}

// A step reads the whole of a round. The pause after it lasts rollRest times as long, up to rollMost; after a long step, which a round of
// many SuperNodes needs, rollLongRest times, up to rollLongMost.
const (
	rollRest     = 10
	rollMost     = 2 * time.Second
	rollLong     = 4 * time.Millisecond
	rollLongRest = 50
	rollLongMost = 5 * time.Second
)

// rollPause is how long others have the processor and the database to themselves after a step that took so long.
func rollPause(took time.Duration) time.Duration {
	if took > rollLong {
		return max(took, min(rollLongRest*took, rollLongMost))
	}
	return min(rollRest*took, rollMost)
}

// rollSoon begins to bring a run's bands up to date and returns at once. Who watches the run is told when it is done.
func (s *Follower) rollSoon(run domain.Run) {
	r := s.rollers
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, busy := r.busy[run.ID]; busy || run.EngineRunID == 0 || r.ctx.Err() != nil {
		if busy {
			r.busy[run.ID] = true
		}
		return
	}
	r.busy[run.ID] = false
	r.wg.Go(func() { s.roll(run) })
}

func (s *Follower) roll(run domain.Run) {
	r := s.rollers
	for {
		began := s.Clock()
		rolled, more := int64(0), false
		err := safely.Do(s.Logger, "summing up metrics", func() (err error) { rolled, more, err = s.rollStep(r.ctx, run, false); return err })
		if err != nil && r.ctx.Err() == nil {
			s.Logger.Error("summing up a run's metrics", "run", run.Name, "err", err)
		}
		if err == nil {
			s.Reporter.Events.Publish(events.Event{Topic: report.RunTopic(run.ID), Kind: "metric", Data: rolled})
		}
		r.mu.Lock()
		if err != nil || !more && !r.busy[run.ID] {
			delete(r.busy, run.ID)
			r.mu.Unlock()
			return
		}
		r.busy[run.ID] = false
		r.mu.Unlock()
		rest := time.NewTimer(rollPause(s.Clock().Sub(began)))
		select {
		case <-r.ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
}

// rollStep takes a part of the metrics in, and what they say of the rounds. It returns the newest metric that the bands have now.
func (s *Follower) rollStep(ctx context.Context, run domain.Run, again bool) (rolled int64, more bool, err error) {
	s.rollers.one.Lock()
	defer s.rollers.one.Unlock()
	moved := false
	err = s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if more, err = tx.RollUp(ctx, run.FederationID, run.EngineRunID, again); err != nil {
			return err
		}
		if moved, err = noteRounds(ctx, tx, run.ID); err != nil {
			return err
		}
		m, err := tx.MetricMeter(ctx, run.FederationID, run.EngineRunID)
		rolled = m.Rolled
		return err
	})
	if err == nil && moved {
		s.Reporter.Publish(run, "round")
	}
	return rolled, more, err
}

// rollUp brings a run's bands up to date and waits for it. Nobody writes metrics of the run any more.
func (s *Follower) rollUp(ctx context.Context, run domain.Run) error {
	for more := true; more; {
		var err error
		if _, more, err = s.rollStep(ctx, run, true); err != nil {
			return err
		}
	}
	return nil
}
