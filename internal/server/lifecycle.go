package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/datadir"
	"blossomtune/internal/domain"
	"blossomtune/internal/portmux"
)

// Start listens and runs everything; it returns when requests are served. The Python environment is made in the background.
func (s *Server) Start(ctx context.Context) error {
	var lc net.ListenConfig
	inner, err := lc.Listen(ctx, "tcp", s.o.Config.Listen)
	if err != nil {
		return domain.Errorf(domain.Unavailable, "The address %s cannot be listened on.", s.o.Config.Listen).
			Fix("Is another server running there? Choose another address with --listen.").Because(err)
	}
	if err := s.prepare(ctx, inner.Addr()); err != nil {
		return errors.Join(err, inner.Close())
	}
	handler, err := s.Handler()
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	s.open(inner, handler)
	s.keepJobs()
	s.noteServed()
	s.o.Log.Info("serving", "address", s.Addr().String(), "public_url", s.url.get())
	return nil
}

// prepare makes the server ready for the first request: its address, what a restore left, the engines of an earlier server.
func (s *Server) prepare(ctx context.Context, addr net.Addr) error {
	if s.url.get() == "" { // port 0 in the configuration
		host, port, err := net.SplitHostPort(addr.String())
		if err != nil {
			return err
		}
		s.url.set(config.DefaultPublicURL(host, port))
	}
	if err := datadir.WritePublicURL(s.o.Config.Data, s.url.get()); err != nil {
		return err
	}
	if err := errors.Join(s.afterRestore(ctx), s.afterRollback(ctx)); err != nil {
		return err
	}
	return s.restore(ctx)
}

// keepJobs runs what lasts as long as the server.
func (s *Server) keepJobs() {
	s.Jobs.Keep("ownership", func(ctx context.Context) {
		if err := s.DB.KeepOwned(ctx, s.o.Log); err != nil {
			s.fail(err)
		}
	})
	s.Jobs.Keep("runs", func(ctx context.Context) { _ = s.Runs.Run(ctx) })
	s.Jobs.Keep("gateway", s.Gateway.Run)
	s.Jobs.Keep("nodes", s.Sync.Run)
	s.Jobs.Keep("mail", s.Mail.Run)
	s.Jobs.Keep("notifications", s.Notify.Run)
	s.Jobs.Keep("webhooks", s.Notify.Deliver)
	s.Jobs.Keep("notification rules", s.watchConditions)
	s.Jobs.Keep("expiry", s.expire)
	s.Jobs.Keep("requests", func(ctx context.Context) {
		s.Onboarding.Settle(ctx, func(err error) { s.o.Log.Error("settling what was asked", "err", err) })
	})
	s.Jobs.Keep("apps", s.provision)
	s.Jobs.Keep("noise", s.noise.Run)
	s.Jobs.Keep("backups", s.Backups.Run)
}

// fail notes why the server cannot go on. What started it then stops it.
func (s *Server) fail(err error) {
	s.failOnce.Do(func() {
		s.o.Log.Error("the server cannot go on and stops", "err", err)
		s.failure = err
		close(s.failed)
	})
}

// Failed is closed when the server cannot go on; [Server.Failure] returns why. It still has to be stopped.
func (s *Server) Failed() <-chan struct{} { return s.failed }

// Failure returns why the server cannot go on, nil while it can.
func (s *Server) Failure() error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

// open serves requests on a listener.
func (s *Server) open(inner net.Listener, handler http.Handler) {
	o := portmux.Options{TLS: s.tls.TLSConfig(), Plain: portmux.Loopback, Limits: s.o.Limits, Log: s.o.Log}
	if s.o.Config.BehindProxy {
		o.Plain, o.Proxied = portmux.Anywhere, true
	}
	s.listener = portmux.New(inner, o)
	s.server = &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return s.Jobs.Context() },
		ErrorLog: log.New(s.noise, "", 0)}
	portmux.Limit(s.server)
	s.cleanups.addWith("http", httpShare, s.stopHTTP)
	s.Jobs.Go(func(context.Context) { _ = s.server.Serve(s.listener) })
}

// restore takes back what an earlier server left: what was seen of SuperNodes, and the engines.
func (s *Server) restore(ctx context.Context) error {
	if err := s.Onboarding.Prepare(ctx); err != nil {
		return err
	}
	feds, err := s.Onboarding.Federations(ctx)
	if err != nil {
		return err
	}
	for _, f := range feds {
		keys, err := s.Onboarding.NodeKeys(ctx, f.ID)
		if err != nil {
			return err
		}
		s.Gateway.Restore(keys)
		if f.EngineWanted && !f.EngineIdle {
			s.Manager.Start(f.ID)
		} else if err := s.Manager.Stop(ctx, f.ID); err != nil { // a keeper that was told to stop when the server was killed
			return fmt.Errorf("stopping the engine of %s: %w", f.Slug, err)
		}
	}
	return nil
}

// expire ends requests whose time has run out, and reminds managers of those that wait.
func (s *Server) expire(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if _, err := s.Onboarding.ExpireOld(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("expiring requests", "err", err)
		}
		if err := s.Onboarding.RemindAll(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("reminding managers", "err", err)
		}
		if err := s.Onboarding.RemindByRule(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("reminding people to connect", "err", err)
		}
		if err := s.Idempotency.Forget(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("forgetting answers", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
