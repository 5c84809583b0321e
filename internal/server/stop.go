package server

import (
	"context"
	"errors"
	"time"

	"blossomtune/internal/config"
)

// Stop ends the server within ctx, whatever a request or a job waits for; a part that does not end in time is logged and left behind.
// Engines run on, unless stopEngines. Each clean-up is done whatever became of the others. A second call does nothing.
func (a *Server) Stop(ctx context.Context, stopEngines bool) (err error) {
	a.stopped.Do(func() { err = a.stop(ctx, stopEngines) })
	return err
}

func (a *Server) stop(ctx context.Context, stopEngines bool) error {
	var errs []error
	a.noteStop(ctx)
	a.end()
	if a.server != nil {
		asked, cancel := withHalf(ctx) // the rest of the time is for the jobs
		if err := a.server.Shutdown(asked); err != nil {
			errs = append(errs, a.server.Close())
		}
		cancel()
	}
	if stopEngines {
		errs = append(errs, a.within(ctx, "engines", func() error { return a.manager.StopAll(ctx) }))
	}
	for _, part := range []struct {
		name string
		wait func()
	}{{"keepers", a.manager.Detach}, {"nodes", a.nodes.wait}, {"jobs", a.wg.Wait}} {
		_ = a.within(ctx, part.name, func() error { part.wait(); return nil })
	}
	return errors.Join(append(errs, a.within(ctx, "database", a.db.Close), a.lock.Release())...)
}

// noteStop tells a server that is started meanwhile how long to wait for this one.
func (a *Server) noteStop(ctx context.Context) {
	until, bounded := ctx.Deadline()
	if !bounded {
		until = time.Now().Add(config.DefaultStopWait)
	}
	if err := a.lock.Stopping(until); err != nil {
		a.o.Log.Warn("noting that the server stops", "err", err)
	}
	a.background(func() { // PostgreSQL may not answer
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := a.db.Stopping(short, until); err != nil {
			a.o.Log.Warn("noting in the database that the server stops", "err", err)
		}
	})
}

// within does a part of the stop. What is not done when ctx ends is left to the end of the process.
func (a *Server) within(ctx context.Context, part string, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done: // both had happened
		return err
	default:
		a.o.Log.Warn("stopping without waiting any longer", "part", part)
		return nil
	}
}

// withHalf is a context that ends halfway to ctx's deadline.
func withHalf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}
