// Package server wires the parts into one server: New, Start, Addr, Stop.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/filelock"
	"blossomtune/internal/fleet"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/mail"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/overview"
	"blossomtune/internal/portmux"
	"blossomtune/internal/program"
	"blossomtune/internal/receipt"
	"blossomtune/internal/runs"
	"blossomtune/internal/runs/unkeyed"
	branding "blossomtune/internal/site"
	"blossomtune/internal/store"
	"blossomtune/internal/tlsca"
)

// Options of a server.
type Options struct {
	Config   config.Config // resolved
	Version  string
	Clock    domain.Clock      // time.Now if nil
	Log      *slog.Logger      // slog.Default if nil
	Progress func(line string) // told how the Python environment comes along; may be nil
	Limits   portmux.Limits    // of connections
	Rates    portmux.Rates     // of bodies, outside of the gateway
	// Contained is how ServerApps are contained on this machine; "": find out.
	Contained domain.Containment
	// Keeper starts a federation's keeper process; nil: our own binary, re-executed.
	Keeper func(fedID int64) keeper.Spec
}

// Server is one server.
type Server struct {
	o    Options
	lock *filelock.Lock // of the data directory
	db   *store.DB
	tls  *tlsca.Authority

	receipts *receipt.Signer
	bus      *events.Bus

	Accounts   *account.Service
	Onboarding *onboarding.Service
	Catalog    *catalog.Service
	Runs       *runs.Service
	Overview   *overview.Service
	Audit      *audit.Service
	Mail       *mail.Service
	Site       *branding.Service
	Engines    *Engines

	programs *program.Shelf
	manager  *engine.Manager
	gateway  *fleet.Gateway
	python   *environment
	nodes    *nodeSync
	news     *nodeNews
	nodeLogs *nodeLogs
	noise    noise
	chosen   sync.Map // by federation: the engine that it chose, as a domain.Engine

	started   time.Time
	publicURL string
	listener  *portmux.Listener
	server    *http.Server
	ctx       context.Context // ends with Stop
	end       context.CancelFunc
	wg        sync.WaitGroup
	ready     chan struct{} // closed by prepared
	prepared  func()
	stopped   sync.Once
	failed    chan struct{} // closed by fail
	failure   error
	failOnce  sync.Once
}

// New takes the data directory, opens the database and makes the parts; nothing runs yet. A directory or a database that another
// server uses is a [domain.Conflict] error.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := os.MkdirAll(o.Config.Data, 0o700); err != nil {
		return nil, domain.Errorf(domain.Invalid, "The data directory %s cannot be made.", o.Config.Data).Fix("Name another one with --data.").Because(err)
	}
	a := &Server{o: o, bus: events.NewBus(), started: o.Clock().UTC(), publicURL: o.Config.PublicURL}
	a.ctx, a.end = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if a.lock, err = own(ctx, o.Config.Data, o.Log); err != nil {
		return nil, err
	}
	if a.db, err = openDatabase(ctx, o.Config.Data, o.Config.Database, waiting(o.Log, "database")); err != nil {
		return nil, errors.Join(err, a.lock.Release())
	}
	a.Site = branding.New(branding.Options{Store: store.Adapt[branding.Tx](a.db), Clock: o.Clock, Given: o.Config.Site})
	if err = a.Site.Load(ctx); err == nil {
		a.tls, err = openTLS(o)
	}
	if err == nil {
		a.receipts, err = receipt.OpenSigner(filepath.Join(o.Config.Data, "receipt"))
	}
	if err != nil {
		return nil, errors.Join(err, a.db.Close(), a.lock.Release())
	}
	a.python = &environment{app: a}
	a.programs = program.New(program.Options{Dir: o.Config.Downloads, Version: o.Version, Log: o.Log})
	a.noise.log = o.Log
	a.ready, a.failed = make(chan struct{}), make(chan struct{})
	a.prepared = sync.OnceFunc(func() { close(a.ready) })
	a.rules()
	a.engine()
	return a, nil
}

func openTLS(o Options) (*tlsca.Authority, error) {
	c := o.Config
	var hosts []string
	if u, err := url.Parse(c.PublicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			hosts = append(hosts, host)
		}
	}
	return tlsca.Open(tlsca.Options{Dir: filepath.Join(c.Data, "tls"), Hosts: hosts, CertFile: c.TLSCert, KeyFile: c.TLSKey,
		Public: c.BehindProxy && strings.HasPrefix(c.PublicURL, "https:"), Clock: o.Clock})
}

// rules makes the parts that know no wire and no surface.
func (a *Server) rules() {
	c := a.o.Config
	a.Mail = mail.New(mail.Options{Store: store.Adapt[mail.Tx](a.db), Events: a.bus, Clock: a.o.Clock, Log: a.o.Log, Site: a.Site,
		Host: c.Mail.Host, Port: c.Mail.Port, User: c.Mail.User, Password: c.Mail.Password, From: c.Mail.From, TLS: c.Mail.TLS,
		Mailjet: mail.Mailjet{Key: c.Mailjet.Key, Secret: c.Mailjet.Secret, URL: c.Mailjet.URL}})
	a.Audit = &audit.Service{Store: store.Adapt[audit.Tx](a.db), Clock: a.o.Clock}
	a.Accounts = account.New(account.Options{Store: store.Adapt[account.Tx](a.db), Clock: a.o.Clock, Admins: c.Admins, Providers: providers(c.SignIn), Texts: a.Site,
		PublicURL: a.PublicURL, MailState: a.Mail.State, MailWake: a.Mail.Wake, Log: a.o.Log,
		Later: func(do func(context.Context)) { a.background(func() { do(a.ctx) }) }})
	a.Onboarding = onboarding.New(onboarding.Options{Store: store.Adapt[onboarding.Tx](a.db), Events: a.bus, Clock: a.o.Clock,
		PublicURL: a.PublicURL, Pin: a.tls.Pin, Commands: a.joinCommands,
		MailState: a.Mail.State, MailWake: a.Mail.Wake, Texts: a.Site, MailTakes: mailTakes(a.Mail), Providers: len(a.Accounts.Ways()), NodesChanged: func(fedID int64) { a.nodes.changed(fedID) }})
	a.Catalog = catalog.New(catalog.Options{Store: store.Adapt[catalog.Tx](a.db), Clock: a.o.Clock, Log: a.o.Log, Build: a.python.build, Contained: a.contained,
		Changed: func() { a.bus.Publish(events.Event{Topic: catalog.Topic, Kind: "apps"}) }})
}

// mailTakes asks whether an address can get mail only where mail goes out.
func mailTakes(m *mail.Service) func(context.Context, string) error {
	if !m.Configured() {
		return nil
	}
	return m.Takes
}

// engine makes the parts that know Flower.
func (a *Server) engine() {
	a.nodeLogs = newNodeLogs(a.o.Config.Data)
	a.news = &nodeNews{app: a}
	a.nodes = &nodeSync{app: a, wakes: map[int64]chan struct{}{}, adopted: map[int64]int{}}
	keeperSpec := a.o.Keeper
	if keeperSpec == nil {
		keeperSpec = a.keeperSpec
	}
	a.manager = engine.NewManager(engine.ManagerOptions{DataDir: a.o.Config.Data, Env: a.python.get, Keeper: keeperSpec, Changed: a.engineChanged,
		Pushed: func(fedID int64) { a.gateway.Wake(fedID) }, Stored: func(fedID int64) { a.Runs.Observed(fedID) },
		RunLog: a.o.Config.RunLogMB * 1e6, Engine: a.engineOf, Clock: a.o.Clock, Log: a.o.Log})
	runStore := store.Adapt[runs.Tx](a.db)
	engines := unkeyed.Engine{Engine: runEngine{a.manager, a.o.Config.RunDiskMB * 1e6}, Store: runStore,
		Unkeyed: func(fedID int64) bool { return !a.manager.Keyed(fedID) }}
	a.Runs = runs.New(runs.Options{Store: runStore, Engine: engines, Stray: engines.Stray, EngineChosen: a.engineChosen,
		MaxDisk: a.o.Config.RunDiskMB * 1e6, Events: a.bus, Clock: a.o.Clock, Logger: a.o.Log, Flwr: python.FlwrVersion,
		MachineIndex: cmp.Or(os.Getenv("UV_DEFAULT_INDEX"), os.Getenv("UV_INDEX_URL"), os.Getenv("PIP_INDEX_URL")), Writable: a.writable, Disk: a.disk, Contained: a.contained, AppUID: a.appUID, MayLaunch: a.Catalog.MayUse, Receipts: a.receipts, Requirements: python.Requirements(), Version: a.o.Version})
	a.Overview = overview.New(overview.Options{Store: store.Adapt[overview.Tx](a.db), Runs: a.Runs, Status: a.manager.Status, Clock: a.o.Clock})
	a.Engines = &Engines{app: a}
	a.gateway = fleet.New(fleet.Options{Keys: a.Onboarding, Upstreams: upstreams{a}, Store: seenStore{a.db}, Timings: timingStore{a},
		OnSeen: a.nodeSeen, OnUnknown: a.nodeUnknown,
		OnReply: a.replyArrived, OnStuck: a.nodeStuck, ActiveRuns: a.activeRuns, Flwr: python.FlwrVersion, Clock: a.o.Clock, Log: a.o.Log})
}

// keeperSpec re-executes our own binary. The database's address may hold a password, so it goes by the environment, not argv.
func (a *Server) keeperSpec(fedID int64) keeper.Spec {
	return keeper.Spec{
		Args: []string{"keeper", "--data", a.o.Config.Data, "--federation", fmt.Sprint(fedID)},
		Dir:  a.o.Config.Data,
		Env:  append(keeperEnv(), "BLOSSOMTUNE_DATABASE="+a.o.Config.Database),
	}
}

// keeperEnv is our environment without our own settings: the keeper and what it starts need none of them.
func keeperEnv() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "BLOSSOMTUNE_") {
			out = append(out, kv)
		}
	}
	return out
}

// PublicURL is the address of this server for browsers and participants, without a slash at the end.
func (a *Server) PublicURL() string { return a.publicURL }

// Addr is the address listened on, once started.
func (a *Server) Addr() net.Addr { return a.listener.Addr() }

// SuperLinkAddress is the host:port that SuperNodes are given.
func (a *Server) SuperLinkAddress() string {
	u, err := url.Parse(a.publicURL)
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
func (a *Server) FlwrVersion() string { return python.FlwrVersion }
