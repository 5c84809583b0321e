package watch

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/applog"
	"blossomtune/internal/runs/diagnose"
	"blossomtune/internal/safely"
)

// tailer follows one run's log while it runs: it tells of new lines, and stores the metrics and rounds that only the log has.
type tailer struct {
	s      *Follower
	run    domain.Run
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex // one pump at a time
	next  int
	parse applog.Parser
	news  news

	doing applog.Doing    // what the newest lines say; guarded by mu too
	needs *diagnose.Needs // what the app asks of the number of SuperNodes; nil until that matters
}

const (
	tailPoll  = 20 * time.Millisecond // what a look costs is one stat call
	tailBatch = 5000
	tailFresh = 30 * time.Second // a log of a run that began longer ago was written while nobody watched
)

// Follow begins to follow a run's log; following it twice changes nothing.
func (s *Follower) Follow(run domain.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tailers[run.ID] != nil || run.EngineRunID == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &tailer{s: s, run: run, cancel: cancel, done: make(chan struct{}), next: 1}
	s.tailers[run.ID] = t
	go t.follow(ctx)
}

func (t *tailer) follow(ctx context.Context) {
	defer close(t.done)
	tick := time.NewTicker(tailPoll)
	defer tick.Stop()
	for {
		if err := safely.Do(t.s.Logger, "reading a log", func() error { return t.pump(ctx) }); err != nil && ctx.Err() == nil {
			t.s.Logger.Error("reading a run's log", "run", t.run.Name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pump handles the lines that were added since the last call.
func (t *tailer) pump(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	file := t.s.Log(t.run)
	for {
		lines, _, err := file.Lines(t.next, tailBatch)
		if err != nil || len(lines) == 0 {
			t.tell()
			return err
		}
		backlog := t.next == 1 && t.s.Clock().UTC().Sub(t.run.StartingAt) > tailFresh
		trial := t.parse // kept only when stored: a failed store is repeated with the same lines
		for _, l := range lines {
			trial.Line(l)
		}
		if err := t.store(ctx, &trial); err != nil {
			return err
		}
		t.parse, t.next = trial, t.next+len(lines)
		t.news.add(lines)
		t.doing.Read(lines, t.s.Clock().UTC(), backlog)
		if (t.doing.Secure || t.doing.Choosing) && t.needs == nil {
			t.readNeeds(ctx)
		}
	}
}

func (t *tailer) readNeeds(ctx context.Context) {
	var app domain.AppVersion
	err := t.s.Store.View(ctx, func(tx Tx) (err error) { app, err = tx.AppVersionByHash(ctx, t.run.AppHash, true); return err })
	if err != nil {
		t.s.Logger.Error("reading how many SuperNodes an app needs", "run", t.run.Name, "err", err)
	}
	needs := diagnose.NeedsOfRun(t.run, app)
	t.needs = &needs
}

func (t *tailer) store(ctx context.Context, p *applog.Parser) error {
	found, newRound := p.Take()
	now := t.s.Clock().UTC()
	for i := range found {
		found[i].FederationID, found[i].EngineRunID, found[i].At = t.run.FederationID, t.run.EngineRunID, now
	}
	lost := p.Dropped() > t.parse.Dropped()
	if len(found) == 0 && !newRound && !lost {
		return nil
	}
	err := t.s.Store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.InsertMetrics(ctx, found); err != nil {
			return err
		}
		if lost {
			if err := tx.NoteLogDropped(ctx, t.run.FederationID, t.run.EngineRunID, p.Dropped()); err != nil {
				return err
			}
		}
		if !newRound {
			return nil
		}
		run, err := tx.RunByID(ctx, t.run.ID)
		if err != nil {
			return err
		}
		round, rounds := p.Round()
		logged(&run, round, rounds)
		return tx.UpdateRun(ctx, run)
	})
	if err != nil {
		return err
	}
	if len(found) > 0 {
		t.s.rollSoon(t.run)
	}
	if newRound {
		t.s.Reporter.Publish(t.run, "round")
	}
	return nil
}

// Drain reads a run's log to its end, stores what it tells, and ends its tailer. Nobody writes to the log any more. A file that
// cannot be read must not keep its run from ending, so only a failure to store is an error.
func (s *Follower) Drain(ctx context.Context, run domain.Run) error {
	if run.EngineRunID == 0 {
		return nil
	}
	s.Follow(run)
	s.mu.Lock()
	t := s.tailers[run.ID]
	s.mu.Unlock()
	t.cancel()
	<-t.done
	if err := s.Log(run).Seal(); err != nil {
		s.Logger.Error("sealing a run's log", "run", run.Name, "err", err)
	}
	var unreadable *fs.PathError
	if err := safely.Do(s.Logger, "reading a log", func() error { return t.pump(ctx) }); errors.As(err, &unreadable) {
		s.Logger.Error("reading a run's log to its end", "run", run.Name, "err", err)
	} else if err != nil {
		return err
	}
	if err := s.rollUp(ctx, run); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.tailers, run.ID)
	s.mu.Unlock()
	return nil
}

// Forget forgets the log of a run whose engine run is gone.
func (s *Follower) Forget(id int64) {
	s.mu.Lock()
	t := s.tailers[id]
	delete(s.tailers, id)
	delete(s.logs, id)
	s.mu.Unlock()
	if t != nil {
		t.cancel()
		<-t.done
	}
}

// Observed takes note that metrics or exchanges of the federation's runs have reached the database: who watches is told when the
// metrics are summed up.
func (s *Follower) Observed(fedID int64) {
	s.mu.Lock()
	var watched []domain.Run
	for _, t := range s.tailers {
		if t.run.FederationID == fedID {
			watched = append(watched, t.run)
		}
	}
	s.mu.Unlock()
	for _, run := range watched {
		s.rollSoon(run) // and tells them
	}
}

// Close ends following all runs, and summing up.
func (s *Follower) Close() {
	s.rollers.stop()
	s.mu.Lock()
	all := make([]*tailer, 0, len(s.tailers))
	for _, t := range s.tailers {
		all = append(all, t)
	}
	s.mu.Unlock()
	for _, t := range all {
		t.cancel()
		<-t.done
	}
}
