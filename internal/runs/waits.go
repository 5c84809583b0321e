package runs

import (
	"context"
	"maps"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// Wait says what a run waits for, and since when.
func (s *Service) Wait(ctx context.Context, run domain.Run) (diagnose.Wait, error) {
	if run.State.Ended() || run.StopAsked {
		return diagnose.Wait{}, nil
	}
	if w, ok := s.waits.get(run); ok {
		return w, nil
	}
	x, err := s.driver.Situation(ctx, run)
	if err != nil {
		return diagnose.Wait{}, err
	}
	return s.waitIn(x), nil
}

// waitIn says what a run waits for in a situation, and keeps that for a moment where it cost much.
func (s *Service) waitIn(x diagnose.Situation) diagnose.Wait {
	w := x.Wait()
	if len(x.Keys)+len(x.Asked) >= s.waits.large {
		s.waits.put(x.Run, w)
	}
	return w
}

// largeSituation is how many SuperNodes and exchanges make a situation that costs tens of milliseconds. Its wait serves all who ask
// within a moment.
const largeSituation = 500

const waitServes = time.Second

// waits keeps what large runs wait for, by run. The limits of a run do not go by it.
type waits struct {
	large int // [largeSituation], but in tests

	mu    sync.Mutex
	byRun map[int64]keptWait
}

func newWaits() waits { return waits{large: largeSituation, byRun: map[int64]keptWait{}} }

type keptWait struct {
	wait  diagnose.Wait
	state domain.RunState
	until time.Time
}

func (w *waits) get(run domain.Run) (diagnose.Wait, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.byRun[run.ID]
	return k.wait, ok && k.state == run.State && time.Now().Before(k.until)
}

func (w *waits) put(run domain.Run, wait diagnose.Wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now() // not the Service's clock: it is about cost
	maps.DeleteFunc(w.byRun, func(_ int64, k keptWait) bool { return now.After(k.until) })
	w.byRun[run.ID] = keptWait{wait, run.State, now.Add(waitServes)}
}
