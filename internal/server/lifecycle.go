package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/portmux"
	"blossomtune/internal/safely"
)

// Start listens and runs everything; it returns when requests are served. The Python environment is made in the background.
func (a *Server) Start(ctx context.Context) error {
	var lc net.ListenConfig
	inner, err := lc.Listen(ctx, "tcp", a.o.Config.Listen)
	if err != nil {
		return domain.Errorf(domain.Unavailable, "The address %s cannot be listened on.", a.o.Config.Listen).
			Fix("Is another server running there? Choose another address with --listen.").Because(err)
	}
	if a.publicURL == "" { // port 0 in the configuration
		host, port, err := net.SplitHostPort(inner.Addr().String())
		if err != nil {
			return errors.Join(err, inner.Close())
		}
		a.publicURL = config.DefaultPublicURL(host, port)
	}
	if err := os.WriteFile(publicURLFile(a.o.Config.Data), []byte(a.publicURL+"\n"), 0o600); err != nil {
		return errors.Join(err, inner.Close())
	}
	handler, err := a.handler()
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	if err := a.afterRestore(ctx); err != nil {
		return errors.Join(err, inner.Close())
	}
	if err := a.restore(ctx); err != nil {
		return errors.Join(err, inner.Close())
	}
	a.open(inner, handler)
	a.keep("ownership", func() {
		if err := a.db.KeepOwned(a.ctx, a.o.Log); err != nil {
			a.fail(err)
		}
	})
	a.keep("runs", func() { _ = a.Runs.Run(a.ctx) })
	a.keep("gateway", func() { a.gateway.Run(a.ctx) })
	a.keep("mail", func() { a.Mail.Run(a.ctx) })
	a.keep("expiry", func() { a.expire(a.ctx) })
	a.keep("requests", func() {
		a.Onboarding.Settle(a.ctx, func(err error) { a.o.Log.Error("settling what was asked", "err", err) })
	})
	a.keep("apps", func() { a.provision(a.ctx) })
	a.keep("noise", func() { a.noise.run(a.ctx) })
	a.o.Log.Info("serving", "address", a.Addr().String(), "public_url", a.publicURL)
	return nil
}

// fail notes why the server cannot go on. What started it then stops it.
func (a *Server) fail(err error) {
	a.failOnce.Do(func() {
		a.o.Log.Error("the server cannot go on and stops", "err", err)
		a.failure = err
		close(a.failed)
	})
}

// Failed is closed when the server cannot go on; [Server.Failure] tells why. It still has to be stopped.
func (a *Server) Failed() <-chan struct{} { return a.failed }

// Failure returns why the server cannot go on, nil while it can.
func (a *Server) Failure() error {
	select {
	case <-a.failed:
		return a.failure
	default:
		return nil
	}
}

// open serves requests on a listener.
func (a *Server) open(inner net.Listener, handler http.Handler) {
	o := portmux.Options{TLS: a.tls.TLSConfig(), Plain: portmux.Loopback, Limits: a.o.Limits, Log: a.o.Log}
	if a.o.Config.BehindProxy {
		o.Plain, o.Proxied = portmux.Anywhere, true
	}
	a.listener = portmux.New(inner, o)
	a.server = &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return a.ctx }, ErrorLog: log.New(&a.noise, "", 0)}
	portmux.Limit(a.server)
	a.background(func() { _ = a.server.Serve(a.listener) })
}

func publicURLFile(data string) string { return filepath.Join(data, "public_url") }

// PublicURLOf returns the address of the server that was last started on a data directory, for commands on its host.
func PublicURLOf(data string) (string, error) {
	text, err := os.ReadFile(publicURLFile(data))
	if err != nil {
		return "", domain.Errorf(domain.NotFound, "No server was started on %s, so that its address is not known.", data).Fix("Start it, or give its address with --public-url.").Because(err)
	}
	return strings.TrimSpace(string(text)), nil
}

// background runs a short job beside the requests; a panic ends that job alone.
func (a *Server) background(run func()) {
	a.wg.Go(func() { safely.Go(a.o.Log, "background", run) })
}

// keep runs a job that lasts until the server stops; after a panic it is started again.
func (a *Server) keep(job string, run func()) {
	a.wg.Go(func() { safely.Keep(a.ctx, a.o.Log, job, run) })
}

// restore takes back what an earlier server left: what was seen of SuperNodes, and the engines.
func (a *Server) restore(ctx context.Context) error {
	if err := a.Onboarding.Prepare(ctx); err != nil {
		return err
	}
	feds, err := a.Onboarding.Federations(ctx)
	if err != nil {
		return err
	}
	for _, f := range feds {
		keys, err := a.Onboarding.NodeKeys(ctx, f.ID)
		if err != nil {
			return err
		}
		a.gateway.Restore(keys)
		if f.EngineWanted && !f.EngineIdle {
			a.manager.Start(f.ID)
		} else if err := a.manager.Stop(ctx, f.ID); err != nil { // a keeper that was told to stop when the server was killed
			return fmt.Errorf("stopping the engine of %s: %w", f.Slug, err)
		}
	}
	return nil
}

// expire ends requests whose time has run out, and reminds managers of those that wait.
func (a *Server) expire(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if _, err := a.Onboarding.ExpireOld(ctx); err != nil && ctx.Err() == nil {
			a.o.Log.Error("expiring requests", "err", err)
		}
		if err := a.Onboarding.RemindAll(ctx); err != nil && ctx.Err() == nil {
			a.o.Log.Error("reminding managers", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watchApps is how often the configured folders are looked at.
const watchApps = 3 * time.Second

// provision makes the Python environment and finds the apps, those of the configured folders as long as the server runs.
func (a *Server) provision(ctx context.Context) {
	defer a.prepared()
	if _, err := a.python.get(ctx); err != nil {
		if ctx.Err() == nil {
			a.o.Log.Error("preparing Python", "err", err)
		}
		return
	}
	if err := a.discover(ctx); err != nil && ctx.Err() == nil {
		a.o.Log.Error("finding the bundled apps", "err", err)
	}
	a.prepared()
	if len(a.o.Config.Apps) > 0 {
		a.Catalog.Watch(ctx, watchApps, a.o.Config.Apps...)
	}
}
