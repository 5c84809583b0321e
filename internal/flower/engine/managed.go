package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
)

// managed is one federation's engine as the server sees it.
type managed struct {
	m       *Manager
	fedID   int64
	dir     string
	link    *link
	streams *streams // of Fleet calls to a builtin SuperLink
	replies *replies
	poke    chan struct{} // somebody asks for another try
	recheck chan struct{} // the federation may have chosen another engine

	mu         sync.Mutex
	st         Status
	cancel     context.CancelFunc // of keep; nil while the engine is not wanted
	done       chan struct{}
	spawned    keeper.Identity // the last keeper started here, which may not have written its state yet
	client     *wire.Client
	clientAddr string
	tls        *tls.Config
}

// engine is the engine that the federation is to have; "" while that cannot be told.
func (e *managed) engine() string { return e.m.o.Engine(e.fedID) }

// runs returns the engine of the keeper that answered last, or else the one that the next keeper gets.
func (e *managed) runs() domain.Engine {
	next := e.engine()
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.st.SuperLink; l.State == domain.SuperLinkUp || l.Leaving {
		next = cmp.Or(e.st.Engine, Flower)
	}
	return domain.Engine(next)
}

func (e *managed) set(change func(*domain.SuperLink)) {
	e.mu.Lock()
	before := e.st.SuperLink
	change(&e.st.SuperLink)
	if e.st.SuperLink.State != before.State {
		e.st.SuperLink.Since = e.m.o.Clock().UTC()
	}
	e.mu.Unlock()
	e.m.o.Changed(e.fedID)
}

const (
	keeperUp    = 20 * time.Second // from its start to its socket
	socketLook  = 50 * time.Millisecond
	retryFirst  = 200 * time.Millisecond
	retryMost   = 30 * time.Second
	keeperWords = "The engine's keeper ended; it is started again."
	leaveWords  = "This SuperLink belongs to another version or another engine. It finishes its runs, accepts no new ones, " +
		"and restarts automatically when they have ended."
	renewWords = "This SuperLink belongs to another version or another engine. It is being restarted."
)

// keep attaches to the keeper, starting one where there is none, and follows it until ctx ends.
func (e *managed) keep(ctx context.Context) {
	wait := retryFirst
	for ctx.Err() == nil {
		err := e.attach(ctx)
		if err == nil {
			attached := e.m.o.Clock()
			err = e.follow(ctx)
			if e.m.o.Clock().Sub(attached) > time.Minute {
				wait = retryFirst
			}
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errAgain) {
			continue
		}
		e.m.o.Log.Warn("lost the keeper", "federation", e.fedID, "err", err)
		e.set(func(l *domain.SuperLink) {
			l.State, l.Address, l.PID, l.Reason = domain.SuperLinkRestarting, "", 0, keeperWords
			var known *domain.Error
			if errors.As(err, &known) && known.Remedy != "" {
				l.State, l.Reason = domain.SuperLinkFailed, known.Message+" "+known.Remedy
			}
		})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.poke:
			wait = retryFirst
		case <-timer.C:
		}
		timer.Stop()
		wait = min(2*wait, retryMost)
	}
}

// attach returns when a keeper answers that is of our protocol, or that has runs.
func (e *managed) attach(ctx context.Context) error {
	st, err := e.link.status(ctx)
	switch {
	case err == nil && !st.leaving(e.engine()):
		e.m.o.Log.Info("took a keeper back", "federation", e.fedID, "pid", st.PID)
		return nil
	case err == nil && st.busy():
		e.m.o.Log.Info("took a keeper of another version back; it is replaced when its runs have ended", "federation", e.fedID, "pid", st.PID,
			"protocol", st.Protocol)
		return nil
	case err == nil:
		e.m.o.Log.Info("replacing a keeper of another version", "federation", e.fedID, "pid", st.PID, "protocol", st.Protocol)
		e.set(func(l *domain.SuperLink) {
			*l = domain.SuperLink{State: domain.SuperLinkRestarting, Since: l.Since, Reason: renewWords}
		})
		if err := e.endKeeper(ctx); err != nil {
			return err
		}
	}
	return e.spawn(ctx)
}

// again tries once more what has failed: the start of a keeper, or of its SuperLink. A keeper of another version, which may not know
// how, is replaced.
func (e *managed) again(ctx context.Context, other bool) {
	select {
	case e.poke <- struct{}{}:
	default: // somebody has asked already
	}
	var err error
	if other {
		err = e.endKeeper(ctx)
	} else {
		err = e.link.order(ctx, "/start", nil)
	}
	if err != nil && ctx.Err() == nil {
		e.m.o.Log.Warn("asking for another start of a SuperLink", "federation", e.fedID, "err", err)
	}
}

// spawn starts a keeper and waits until it answers.
func (e *managed) spawn(ctx context.Context) error {
	env, err := e.m.o.Env(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", e.dir, err)
	}
	kind := e.engine()
	if kind == "" {
		return domain.Errorf(domain.Unavailable, "The federation's settings cannot be read.")
	}
	if err := writeJSON(filepath.Join(e.dir, settingsName), settings{Env: env, RunLog: e.m.o.RunLog, Engine: kind}); err != nil {
		return err
	}
	spec := e.m.o.Keeper(e.fedID)
	spec.Env = append(spec.Env, keeper.DirEnv+"="+filelock.DirID(e.dir))
	spec.LogFile = filepath.Join(e.dir, keeperLog)
	if err := keeperLogKeep.Rotate(spec.LogFile); err != nil {
		return err
	}
	p, err := keeper.Spawn(spec)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.spawned = p.Identity
	e.mu.Unlock()
	e.m.o.Log.Info("started a keeper", "federation", e.fedID, "pid", p.PID)
	limit := time.NewTimer(keeperUp)
	defer limit.Stop()
	tick := time.NewTicker(socketLook)
	defer tick.Stop()
	for {
		if st, err := e.link.status(ctx); err == nil && st.PID == p.PID {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.Done():
			return domain.Errorf(domain.Unavailable, "The engine's keeper ended at its start; its log says why.")
		case <-limit.C:
			return errors.Join(domain.Errorf(domain.Unavailable, "The engine's keeper did not come up within %s.", keeperUp),
				keeper.StopIdentity(p.Identity, stopGrace))
		case <-tick.C:
		}
	}
}

// stop ends the keeper and waits for its end. Nothing starts it again until [Manager.Start].
func (e *managed) stop(ctx context.Context) error {
	e.mu.Lock()
	cancel, done := e.cancel, e.done
	e.cancel = nil
	e.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
	err := e.endKeeper(ctx)
	if err == nil {
		e.set(func(l *domain.SuperLink) { *l = domain.SuperLink{State: domain.SuperLinkStopped, Since: l.Since} })
	}
	return err
}

func (e *managed) endKeeper(ctx context.Context) error {
	running, err := runningKeeper(ctx, e.dir)
	if err != nil {
		e.m.o.Log.Warn("the keeper's state cannot be read; asking the keeper", "federation", e.fedID, "err", err)
		if now, err := e.link.status(ctx); err == nil {
			running, _ = keeper.Of(now.PID)
		}
	}
	e.mu.Lock()
	spawned := e.spawned
	e.mu.Unlock()
	if spawned != running {
		if err := keeper.StopIdentity(spawned, stopGrace); err != nil {
			return err
		}
	}
	if !running.Alive() {
		return nil
	}
	_ = e.link.order(ctx, "/stop", nil) // the signal below does the same
	limit := time.NewTimer(serverAppWait + stopGrace + 5*time.Second)
	defer limit.Stop()
	tick := time.NewTicker(socketLook)
	defer tick.Stop()
	for running.Alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return keeper.StopIdentity(running, stopGrace)
		}
	}
	return nil
}
