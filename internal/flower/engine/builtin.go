package engine

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
)

// Kinds of a federation's engine.
const (
	Flower  = string(domain.EngineFlower)  // Flower's own SuperLink, a process
	Builtin = string(domain.EngineBuiltin) // our SuperLink, in the keeper
)

// inKeeper stands for the address of the SuperLink that is part of the keeper; it is reached by the keeper's socket alone.
const inKeeper = "keeper"

const objectsName = "objects" // the directory of the builtin SuperLink's large objects

// LinkStore opens the store of a federation's builtin SuperLink, at address, or in the federation's directory.
type LinkStore func(ctx context.Context) (OpenStore, error)

// OpenStore is a store that is closed after use.
type OpenStore interface {
	superlink.Store
	io.Closer
}

// builtinLink keeps our SuperLink working. When its store refuses a change it is opened again, where the store stands.
type builtinLink struct {
	fedDir  string
	open    LinkStore
	clock   domain.Clock
	changed func()
	policy  keeper.Policy

	again chan struct{}

	mu     sync.Mutex
	link   *superlink.Link // nil while it is not up
	status domain.SuperLink
}

// Status returns the state as it is now.
func (b *builtinLink) Status() domain.SuperLink {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *builtinLink) set(link *superlink.Link, state domain.SuperLinkState, reason string) {
	b.mu.Lock()
	b.link = link
	if b.status.State != state {
		b.status.Since = b.clock().UTC()
	}
	b.status.State, b.status.Reason, b.status.Address, b.status.PID = state, reason, "", 0
	if link != nil {
		b.status.Address, b.status.PID = inKeeper, os.Getpid()
	}
	b.mu.Unlock()
	b.changed()
}

// current returns the SuperLink, or an error while it is not up.
func (b *builtinLink) current() (*superlink.Link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.link == nil {
		return nil, domain.Errorf(domain.Unavailable, "The SuperLink is %s.", b.status.State)
	}
	return b.link, nil
}

// run keeps the SuperLink working until ctx ends; it is closed when run returns.
func (b *builtinLink) run(ctx context.Context) {
	out, err := logfile.Open(filepath.Join(b.fedDir, superlinkLog), superlinkLogKeep, b.clock)
	if err != nil {
		b.set(nil, domain.SuperLinkFailed, "Its log cannot be written: "+err.Error())
		<-ctx.Done()
		return
	}
	defer func() { _ = out.Close() }()
	log := slog.New(slog.NewTextHandler(out, nil))
	restarts := keeper.Restarts{Policy: b.policy}
	for ctx.Err() == nil {
		b.set(nil, domain.SuperLinkStarting, "")
		began := b.clock()
		err := b.live(ctx, log)
		if ctx.Err() != nil {
			break
		}
		d := restarts.Died(b.clock().Sub(began), err.Error())
		log.Error("the SuperLink stopped", "cause", d.Cause, "give_up", d.GiveUp, "wait", d.After)
		if d.GiveUp {
			b.set(nil, domain.SuperLinkFailed, d.Cause)
			select {
			case <-b.again:
				restarts.Forgive()
			case <-ctx.Done():
			}
			continue
		}
		b.mu.Lock()
		b.status.Restarts = restarts.Total
		b.mu.Unlock()
		b.set(nil, domain.SuperLinkRestarting, d.Cause)
		timer := time.NewTimer(d.After)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	b.set(nil, domain.SuperLinkStopped, "")
}

// live opens the SuperLink and returns when it is broken or ctx ends.
func (b *builtinLink) live(ctx context.Context, log *slog.Logger) error {
	store, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := store.Close(); err != nil {
			log.Warn("closing the SuperLink's store", "err", err)
		}
	}()
	link, err := superlink.Open(ctx, superlink.Options{Dir: filepath.Join(b.fedDir, objectsName), Store: store, Clock: b.clock, Log: log})
	if err != nil {
		return err
	}
	defer link.Close()
	log.Info("the SuperLink is up", "nodes", len(link.Nodes()), "runs", len(link.Runs()))
	b.set(link, domain.SuperLinkUp, "")
	select {
	case <-ctx.Done():
		b.set(nil, domain.SuperLinkStopped, "")
		return ctx.Err()
	case <-link.Broken():
		b.set(nil, domain.SuperLinkRestarting, "")
		return link.Err()
	}
}

func (b *builtinLink) start() {
	select {
	case b.again <- struct{}{}:
	default: // it is asked already
	}
}

func (b *builtinLink) acquire(_ context.Context, engineRunID uint64) (*wire.Task, error) {
	link, err := b.current()
	if err != nil {
		return nil, nil //nolint:nilerr // it is asked again
	}
	t, err := link.Acquire(engineRunID)
	switch domain.CodeOf(err) {
	case "":
		return &wire.Task{ID: t.ID, RunID: engineRunID, Token: t.Token}, nil
	case domain.NotFound, domain.Conflict:
		return nil, nil // the run has ended; who ordered its ServerApp withdraws the order
	}
	return nil, err
}

// runtime serves a ServerApp's calls with the SuperLink, which is in this process.
func (b *builtinLink) runtime(seen *observe.Observer) (http.Handler, error) {
	return b.handler(func(l *superlink.Link) http.Handler { return l.RuntimeHandler(seen) }), nil
}

// handler serves calls with the SuperLink that is up at the moment.
func (b *builtinLink) handler(of func(*superlink.Link) http.Handler) http.Handler {
	var mu sync.Mutex
	var last *superlink.Link
	var h http.Handler
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		link, err := b.current()
		if err != nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"detail":"The SuperLink is not up."}`, http.StatusServiceUnavailable)
			return
		}
		mu.Lock()
		if link != last {
			last, h = link, of(link)
		}
		now := h
		mu.Unlock()
		now.ServeHTTP(w, r)
	})
}

// routes are the orders that the server gives to the SuperLink over the keeper's socket, and the Fleet API for the gateway.
func (b *builtinLink) routes(mux *http.ServeMux) {
	mux.Handle("/v1/fleet/", b.handler((*superlink.Link).FleetHandler))
	on := func(pattern string, do func(link *superlink.Link, w http.ResponseWriter, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			link, err := b.current()
			var out any
			if err == nil {
				out, err = do(link, w, r)
			}
			reply(w, out, err)
		})
	}
	on("POST /link/runs", func(link *superlink.Link, w http.ResponseWriter, r *http.Request) (any, error) {
		var o superlink.Order
		if err := decodeTyped(w, r, &o); err != nil {
			return nil, err
		}
		id, err := link.Start(o)
		return numbered{id}, err
	})
	on("GET /link/runs", func(link *superlink.Link, _ http.ResponseWriter, _ *http.Request) (any, error) {
		return link.Runs(), nil
	})
	on("POST /link/runs/stop", func(link *superlink.Link, w http.ResponseWriter, r *http.Request) (any, error) {
		var n numbered
		if err := decodeTyped(w, r, &n); err != nil {
			return nil, err
		}
		return nil, link.Stop(n.ID)
	})
	on("GET /link/nodes", func(link *superlink.Link, _ http.ResponseWriter, _ *http.Request) (any, error) {
		return link.Nodes(), nil
	})
	on("POST /link/nodes", func(link *superlink.Link, w http.ResponseWriter, r *http.Request) (any, error) {
		var o nodeOrder
		if err := decodeTyped(w, r, &o); err != nil {
			return nil, err
		}
		id, err := link.Register(o.PublicPEM, o.Name, o.ID)
		return numbered{id}, err
	})
	on("POST /link/nodes/remove", func(link *superlink.Link, w http.ResponseWriter, r *http.Request) (any, error) {
		var n numbered
		if err := decodeTyped(w, r, &n); err != nil {
			return nil, err
		}
		return nil, link.Unregister(n.ID)
	})
}
