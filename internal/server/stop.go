package server

import (
	"context"
	"time"

	"blossomtune/internal/config"
)

// Stop ends the server within ctx, or [config.DefaultStopWait] and [engineWait] where ctx has no deadline. Engines run on, unless
// stopEngines. Every clean-up is started, whatever became of the others; one that takes too long is logged and left to the end of the
// process. A second call waits for the first and does nothing.
func (s *Server) Stop(ctx context.Context, stopEngines bool) error {
	if _, bounded := ctx.Deadline(); !bounded {
		limit := config.DefaultStopWait
		if stopEngines {
			limit += engineWait
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	s.stopOnce.Do(func() {
		s.noteStop(ctx)
		s.Jobs.End()
		s.stopEngines = stopEngines
	})
	return s.cleanups.run(ctx)
}

// engineWait is how long engines may take to stop where the caller sets no limit.
const engineWait = 30 * time.Second

// stopManager lets go of the keepers, which run on unless the engines are to stop.
func (s *Server) stopManager(ctx context.Context) (err error) {
	if s.stopEngines {
		err = s.Manager.StopAll(ctx)
	}
	s.Manager.Detach()
	return err
}

// stopHTTP waits for the requests that are being answered, then cuts the rest.
func (s *Server) stopHTTP(ctx context.Context) error {
	if err := s.server.Shutdown(ctx); err != nil {
		return s.server.Close()
	}
	return nil
}

// noteStop tells a server that is started meanwhile how long to wait for this one.
func (s *Server) noteStop(ctx context.Context) {
	until, _ := ctx.Deadline()
	if err := s.lock.Stopping(until); err != nil {
		s.o.Log.Warn("noting that the server stops", "err", err)
	}
	s.Jobs.Go(func(context.Context) { // PostgreSQL may not answer
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.DB.Stopping(short, until); err != nil {
			s.o.Log.Warn("noting in the database that the server stops", "err", err)
		}
	})
}
