package engine

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/runtimeproxy"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
)

const (
	healthEvery = 100 * time.Millisecond // until it is up
	healthLook  = 3 * time.Second        // while it is up
	startLimit  = 90 * time.Second
)

// flowerLink keeps one flower-superlink alive on one database and one port.
type flowerLink struct {
	fedDir  string
	env     python.Env
	clock   domain.Clock
	log     *slog.Logger
	changed func()
	policy  keeper.Policy
	silence time.Duration // how long it may leave its health check unanswered
	again   chan struct{} // a request for another start
	secret  []byte        // with which tasks are acquired

	setNodeID SetNodeID
	proxies   proxies

	mu     sync.Mutex
	status domain.SuperLink
	client *wire.Client
	addr   string
	note   string // why it was restarted, for people, while that is news
}

// Status returns the state as it is now.
func (s *flowerLink) Status() domain.SuperLink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *flowerLink) set(change func(*domain.SuperLink)) {
	s.mu.Lock()
	before := s.status
	change(&s.status)
	if s.status.State != before.State {
		s.status.Since = s.clock().UTC()
	}
	differs := s.status != before
	s.mu.Unlock()
	if differs {
		s.changed()
	}
}

// Client returns a client of the SuperLink, which may be down at the moment.
func (s *flowerLink) Client() *wire.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// pickPort takes the remembered port while it is free, so that nobody has to learn a new one, else any that is.
func pickPort(remembered int) (int, error) {
	var lc net.ListenConfig
	for _, p := range []int{remembered, 0} {
		if p == 0 && remembered == 0 {
			remembered = -1
			continue
		}
		ln, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(max(p, 0))))
		if err != nil {
			continue
		}
		port := ln.Addr().(*net.TCPAddr).Port
		return port, ln.Close()
	}
	return 0, domain.Errorf(domain.Unavailable, "There is no free port on 127.0.0.1 for the SuperLink.")
}

// prepare settles the port for the next start.
func (s *flowerLink) prepare() (int, error) {
	st, err := readState(s.fedDir)
	if err != nil { // only the port is lost
		s.log.Warn("the keeper's state cannot be read; writing a new one", "err", err)
		st = state{Dir: filelock.DirID(s.fedDir)}
		st.Keeper, _ = keeper.Of(os.Getpid())
	}
	port, err := pickPort(st.Port)
	if err != nil {
		return 0, err
	}
	if port != st.Port {
		st.Port = port
		if err := writeJSON(filepath.Join(s.fedDir, stateName), st); err != nil {
			return 0, err
		}
	}
	roots, err := loadRoots(s.fedDir)
	if err != nil {
		return 0, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.mu.Lock()
	if s.client == nil || s.addr != addr {
		s.client, s.addr = wire.NewClient(addr, roots), addr
	}
	s.mu.Unlock()
	return port, nil
}

// run keeps the SuperLink alive until ctx ends; it has ended when run returns.
func (s *flowerLink) run(ctx context.Context) {
	restarts := keeper.Restarts{Policy: s.policy}
	s.set(func(l *domain.SuperLink) { l.State = domain.SuperLinkStarting })
	for ctx.Err() == nil {
		healthy, cause, note := s.live(ctx)
		if ctx.Err() != nil {
			break
		}
		d := restarts.Died(healthy, cause)
		s.log.Warn("the SuperLink ended", "cause", cause, "give_up", d.GiveUp, "wait", d.After)
		s.set(func(l *domain.SuperLink) {
			s.note = note
			l.State, l.Reason, l.PID, l.Address, l.Restarts = domain.SuperLinkRestarting, cmp.Or(note, d.Cause), 0, "", restarts.Total
			if d.GiveUp {
				l.State, l.Reason = domain.SuperLinkFailed, d.Cause
			}
		})
		if d.GiveUp {
			if !s.asked(ctx) {
				break
			}
			restarts.Forgive()
			s.set(func(l *domain.SuperLink) { l.State, l.Reason = domain.SuperLinkStarting, "" })
			continue
		}
		timer := time.NewTimer(d.After)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	s.set(func(l *domain.SuperLink) {
		l.State, l.Reason, l.PID, l.Address = domain.SuperLinkStopped, "", 0, ""
	})
}

// asked waits until somebody asks for another start; it reports false when ctx ends first.
func (s *flowerLink) asked(ctx context.Context) bool {
	select { // what was asked before it was given up counts for nothing
	case <-s.again:
	default:
	}
	select {
	case <-s.again:
		return true
	case <-ctx.Done():
		return false
	}
}

// start asks for another start of a SuperLink that has been given up; one that runs stays as it is.
func (s *flowerLink) start() {
	select {
	case s.again <- struct{}{}:
	default: // it is asked already
	}
}

// live runs one SuperLink process to its end. It returns how long it was healthy, how it ended, and the note for people where it was
// ended for its silence.
func (s *flowerLink) live(ctx context.Context) (healthy time.Duration, cause, note string) {
	port, err := s.prepare()
	if err != nil {
		return 0, err.Error(), ""
	}
	child, err := keeper.Start(s.command(port))
	if err != nil {
		return 0, err.Error(), ""
	}
	s.log.Info("started a SuperLink", "pid", child.Identity().PID, "port", port)
	w := newWatch(s, child)
	watchCtx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.run(watchCtx)
	}()
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Stop(stopGrace)
	}
	cancel()
	<-watched
	if !w.upAt.IsZero() {
		healthy = s.clock().Sub(w.upAt)
	}
	return healthy, cmp.Or(w.fault, child.Exit().String()), w.note
}

func (s *flowerLink) command(port int) keeper.Command {
	at := func(parts ...string) string { return filepath.Join(append([]string{s.fedDir}, parts...)...) }
	return keeper.Command{
		Path: s.env.Bin("flower-superlink"),
		Args: []string{
			"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--isolation", "process", "--enable-supernode-auth", "--database", at(databaseName),
			"--ssl-certfile", at(tlsName, certFile), "--ssl-keyfile", at(tlsName, keyFile), "--ssl-ca-certfile", at(tlsName, caFile),
			"--superexec-auth-secret-file", at(secretName), "--disable-runtime-dependency-installation",
		},
		Dir: s.fedDir, Env: s.env.Environ(at(homeName)), LogFile: at(superlinkLog), Log: superlinkLogKeep, DieWithParent: true,
	}
}

// acquire takes the oldest task that is pending, whichever run it is of; nil: there is none.
func (s *flowerLink) acquire(ctx context.Context, _ uint64) (*wire.Task, error) {
	if s.Status().State != domain.SuperLinkUp {
		return nil, nil
	}
	return s.Client().AcquireTask(ctx, s.secret, wire.ServerAppTask)
}

// runtime puts a Runtime proxy before the SuperLink, which has no place for an Observer.
func (s *flowerLink) runtime(seen *observe.Observer) (http.Handler, error) {
	transport, err := s.transport()
	if err != nil {
		return nil, err
	}
	p := runtimeproxy.New(runtimeproxy.Options{Observer: seen, Upstream: &url.URL{Scheme: "https", Host: "localhost"},
		Transport: transport, Clock: s.clock, Logger: s.log})
	s.proxies.add(seen.RunID(), p)
	return p, nil
}

// transport carries a ServerApp's calls to the SuperLink, which may move to another port.
func (s *flowerLink) transport() (http.RoundTripper, error) {
	roots, err := loadRoots(s.fedDir)
	if err != nil {
		return nil, err
	}
	transport := wire.Transport(roots)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		addr := s.Status().Address
		if addr == "" {
			return nil, domain.Errorf(domain.Unavailable, "The SuperLink is not up.")
		}
		return dial(ctx, network, addr)
	}
	return transport, nil
}

// SetNodeID gives a node that was registered and never active another id, in the database of Flower's SuperLink.
type SetNodeID func(ctx context.Context, database string, from, to uint64) error

// renumber is an order to give a node another id.
type renumber struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// routes is the one order that Flower's own API does not take.
func (s *flowerLink) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /replied", func(w http.ResponseWriter, r *http.Request) {
		var rs []runtimeproxy.Reply
		if decode(w, r, &rs) {
			s.proxies.replied(rs)
			answer(w, nil)
		}
	})
	mux.HandleFunc("POST /link/nodes/renumber", func(w http.ResponseWriter, r *http.Request) {
		var o renumber
		err := decodeTyped(w, r, &o)
		switch {
		case err == nil && s.setNodeID == nil:
			err = domain.Errorf(domain.Unavailable, "This keeper does not change node IDs.")
		case err == nil:
			err = s.setNodeID(r.Context(), filepath.Join(s.fedDir, databaseName), o.From, o.To)
		}
		reply(w, nil, err)
	})
}
