// Package server wires the parts into one server: New, Start, Addr, Stop. It has no rules of its own.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/portmux"
)

// Options of a server.
type Options struct {
	Config   config.Config // resolved
	Version  string
	Clock    domain.Clock      // time.Now if nil
	Log      *slog.Logger      // slog.Default if nil
	Progress func(line string) // receives progress lines while the Python environment is installed; may be nil
	Limits   portmux.Limits    // of connections
	Rates    portmux.Rates     // of bodies, outside of the gateway
	// Contained returns how ServerApps are contained on this machine; nil: find out.
	Contained func() domain.Containment
	// Keeper starts a federation's keeper process; nil: our own binary, re-executed.
	Keeper func(fedID int64) keeper.Spec
}

// Server is one server. Its exported parts may be used once [New] has returned it.
type Server struct {
	base
	Rules
	Engine
	Nodes
	Backups *backup.Service

	cleanups cleanups
	listener *portmux.Listener
	server   *http.Server
	ready    chan struct{} // closed by prepared
	prepared func()
	failed   chan struct{} // closed by fail
	failure  error
	failOnce sync.Once

	stopOnce    sync.Once
	stopEngines bool // set before the clean-ups run
}

// New takes the data directory, opens the database and makes the parts; nothing runs yet. A directory or a database that another
// server uses is a [domain.Conflict] error.
//
// Each group of parts is made from complete earlier groups, so the compiler checks the order. The few calls that go the other way, to
// parts that are made later, are [links], and New refuses a server on which one is not connected.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{ready: make(chan struct{}), failed: make(chan struct{})}
	s.cleanups.log = o.Log
	s.prepared = sync.OnceFunc(func() { close(s.ready) })
	var err error
	if s.base, err = newBase(ctx, o, &s.cleanups); err != nil {
		return nil, errors.Join(err, s.cleanups.run(ctx))
	}
	s.Rules = newRules(s.base)
	s.Engine = newEngine(s.base, s.Rules)
	s.Nodes = newNodes(s.base, s.Rules, s.Engine)
	s.Backups = &backup.Service{DB: s.DB, Config: o.Config, Server: o.Version, Clock: o.Clock, Log: o.Log, Started: s.started}
	s.cleanups.add("keepers", s.stopManager)
	s.connect()
	if err := s.links.check(); err != nil {
		return nil, errors.Join(err, s.cleanups.run(ctx))
	}
	return s, nil
}

// connect connects the calls to parts that are made after their callers.
func (s *Server) connect() {
	s.links.engineChanged.connect(s.engineChanged)
	s.links.pushed.connect(s.Gateway.Wake)
	s.links.stored.connect(s.Runs.Observed)
	s.links.nodeUnknown.connect(s.Sync.Unknown)
}

// PublicURL is the address of this server for browsers and participants, without a slash at the end.
func (s *Server) PublicURL() string { return s.url.get() }

// Addr is the address listened on, once started.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// SuperLinkAddress is the host:port that SuperNodes are given.
func (s *Server) SuperLinkAddress() string {
	u, err := url.Parse(s.url.get())
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// FlwrVersion is the pinned version of Flower.
func (s *Server) FlwrVersion() string { return python.FlwrVersion }
