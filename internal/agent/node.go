package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
)

// node keeps one SuperNode running.
type node struct {
	j    *joining
	h    home
	st   *state
	sign *signer // with the enrolled key
	pem  []byte  // the key's public half
	env  python.Env
	conn *connection
	deps bool

	suspended string        // as last said
	saidClock time.Duration // what the clock is off, as last said
}

// node prepares everything that a SuperNode needs.
func (j *joining) node(ctx context.Context, h home, st *state) (*node, error) {
	key, err := loadKey(h.keyFile(st.TokenID))
	if err != nil {
		return nil, err
	}
	public, err := publicPEM(key)
	if err != nil {
		return nil, err
	}
	conn, err := connect(j.srv, st.CAPEM, j.clock)
	if err != nil {
		return nil, err
	}
	n := &node{j: j, h: h, st: st, sign: j.signer(key), pem: public, conn: conn, deps: j.allowDeps()}
	n.env, err = j.environment(ctx, h)
	return n, err
}

// report is what the agent tells of itself.
type report struct {
	Flwr   string `json:"flwr"`
	Agent  string `json:"agent"`
	Python string `json:"python"`
	System string `json:"system"`
	Clock  int    `json:"clock_off,omitempty"`
	Proxy  string `json:"proxy,omitempty"`
	Share  bool   `json:"shares_logs,omitempty"`
}

// ask reports versions and returns what the server says of this machine; false while it is not reached.
func (n *node) ask(ctx context.Context) (got enrolment, reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	rep := report{Flwr: n.env.FlwrVersion, Agent: n.j.o.Version, Python: n.env.PythonVersion, System: runtime.GOOS + "/" + runtime.GOARCH,
		Clock: int(n.j.clock.ahead().Seconds()), Proxy: n.j.srv.proxy(), Share: n.j.o.ShareLogs}
	for try := 0; ; try++ {
		err := n.j.srv.call(ctx, n.conn.client(), http.MethodPost, "/api/v1/agent/report", rep, n.signed, &got)
		switch code := domain.CodeOf(err); {
		case code == "":
			n.sayClock()
			return got, true, nil
		case code == domain.Unauthenticated && try == 0:
			continue // the time was wrong, which the answer corrected, or a proxy sent the call twice
		case code == domain.Unauthenticated, code == domain.Forbidden:
			return got, false, errEnded(n.h, n.st)
		}
		return got, false, nil //nolint:nilerr // the SuperNode itself tries for ever
	}
}

// sayClock tells the owner of a clock that is off, once.
func (n *node) sayClock() {
	d := n.j.clock.ahead()
	if (d - n.saidClock).Abs() <= tolerated {
		return
	}
	n.saidClock = d
	switch {
	case d > 0:
		n.j.say("This machine's clock is %s behind the server's. That is allowed for; setting it right is better.", d)
	case d < 0:
		n.j.say("This machine's clock is %s ahead of the server's. That is allowed for; setting it right is better.", d.Abs())
	}
}

// tell takes over what has changed at the server. A server that is away does not keep a SuperNode from starting.
func (n *node) tell(ctx context.Context) error {
	got, reached, err := n.ask(ctx)
	if err != nil || !reached {
		return err
	}
	before := *n.st
	n.st.take(got)
	if *n.st == before {
		return nil
	}
	if n.st.CAPEM != before.CAPEM {
		if err := n.trustAnew(n.st.CAPEM); err != nil {
			return err
		}
	}
	if before.Partition != n.st.Partition || before.NumPartitions != n.st.NumPartitions {
		n.j.say("This machine is partition %d of %d now.", n.st.Partition, n.st.NumPartitions)
	}
	return n.h.save(n.st)
}

// trustAnew follows the server to another CA.
func (n *node) trustAnew(caPEM string) error {
	if err := n.conn.trust(caPEM); err != nil {
		return err
	}
	n.st.CAPEM = caPEM
	n.j.say("The server has told of its new CA; this machine trusts it from now on.")
	return n.h.save(n.st)
}

// How often a running agent asks what has changed, and how long it waits for the answer.
const (
	askEvery = 20 * time.Second
	askLimit = 15 * time.Second
)

// stale reports whether the SuperNode must be started anew for what the server says now. A run that goes on keeps what it
// began with: then it waits.
func (n *node) stale(ctx context.Context) bool {
	got, reached, err := n.ask(ctx)
	if err != nil || !reached {
		return false // an access that has ended shows in the SuperNode's own end
	}
	if got.Suspended != n.suspended {
		if n.suspended = got.Suspended; n.suspended != "" {
			n.j.say("A manager has suspended this SuperNode: %s. It waits, and goes on by itself.", n.suspended)
		} else {
			n.j.say("Resumed.")
		}
	}
	now := *n.st
	now.take(got)
	if now.CAPEM != n.st.CAPEM { // the SuperNode need not know
		if err := n.trustAnew(now.CAPEM); err != nil {
			n.j.say("The server's new CA cannot be kept: %v", err)
		}
	}
	now.NodeID, now.CAPEM = n.st.NodeID, n.st.CAPEM // given by the SuperLink; the SuperNode need not know
	return now != *n.st && !got.Busy
}

// supernodePolicy restarts a SuperNode for as long as its owner lets it run.
var supernodePolicy = keeper.Policy{First: time.Second, Most: time.Minute, HealthyAfter: time.Minute}

// stopGrace is how long a SuperNode may take to say goodbye.
const stopGrace = 10 * time.Second

// keep runs the SuperNode until ctx ends, starting it again when it dies; it returns an error when a new start cannot heal it.
func (n *node) keep(ctx context.Context) error {
	restarts := keeper.Restarts{Policy: supernodePolicy}
	if n.j.o.ShareLogs {
		n.j.say("The logs of the SuperNode and of the ClientApps go to the managers of %s, as you said with --share-logs.", n.st.Name)
		sharing, stop := context.WithCancel(ctx)
		shared := make(chan struct{})
		go func() { defer close(shared); n.share(sharing) }()
		defer func() { stop(); <-shared }()
	}
	for {
		if err := n.tell(ctx); err != nil {
			return err
		}
		began := n.j.o.Clock()
		from := sizeOf(n.h.logFile())
		sn, err := n.start()
		if err != nil {
			return err
		}
		anew := n.watch(ctx, sn.child, from)
		exit := sn.end(anew || ctx.Err() != nil)
		if ctx.Err() != nil {
			n.j.say("Stopped.")
			return nil //nolint:nilerr // it was asked to stop
		}
		if anew {
			n.j.say("The federation has changed; starting the SuperNode anew.")
			continue
		}
		out := readFrom(n.h.logFile(), from)
		if err := final(exitCodeIn(out), n.h); err != nil {
			return err
		}
		d := restarts.Died(n.j.o.Clock().Sub(began), exit.String())
		n.j.say("The SuperNode ended (%s); starting it again in %s. Its log: %s", exit, d.After, n.h.logFile())
		for _, l := range lastLines(out, 3) {
			n.j.say("  | %s", l)
		}
		timer := time.NewTimer(d.After)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func sizeOf(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// watch waits for the SuperNode's end or ctx's, and says when it has connected. It reports whether the SuperNode is to be started
// anew because the server says something else now.
func (n *node) watch(ctx context.Context, child *keeper.Child, from int64) (anew bool) {
	n.j.say("SuperNode started; connecting to %s.", n.st.SuperLink)
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	connected := false
	for {
		select {
		case <-ctx.Done():
			return false
		case <-child.Done():
			return false
		case <-ask.C:
			if n.stale(ctx) {
				return true
			}
			continue
		case <-tick.C:
		}
		if connected {
			continue
		}
		if id := nodeIDIn(readFrom(n.h.logFile(), from)); id != 0 {
			connected = true
			n.j.say("Connected. Runs start by themselves; leave this running, Ctrl-C stops it. Log: %s", n.h.logFile())
		}
	}
}

// superNode is a running SuperNode with what stands around it: the local proxy before it, the ClientApps behind it.
type superNode struct {
	child    *keeper.Child
	proxy    *http.Server
	apps     sync.WaitGroup
	stopApps context.CancelFunc
}

// end ends all of it, the SuperNode first where it still runs: it says goodbye through the proxy.
func (s *superNode) end(stop bool) keeper.Exit {
	if stop {
		s.child.Stop(stopGrace)
	}
	s.stopApps()
	s.apps.Wait()
	_ = s.proxy.Close()
	return s.child.Exit()
}

func (n *node) start() (*superNode, error) {
	port, err := n.port()
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"flwr_home", "work"} {
		if err := os.MkdirAll(n.h.file(d), 0o700); err != nil {
			return nil, fmt.Errorf("making the SuperNode's directory: %w", err)
		}
	}
	apps, err := n.clientApps(port)
	if err != nil {
		return nil, err
	}
	proxy, addr, err := n.serveProxy(apps.announce)
	if err != nil {
		return nil, err
	}
	args := []string{"--superlink", addr, "--root-certificates", n.h.localCA(), "--auth-supernode-private-key", n.h.localKey(),
		"--isolation", "process", "--superexec-auth-secret-file", n.h.launchSecret(),
		"--node-config", domain.NodeConfig(n.st.Partition, n.st.NumPartitions), "--host", "127.0.0.1", "--port", strconv.Itoa(port)}
	child, err := keeper.Start(keeper.Command{
		Path: n.env.Bin("flower-supernode"), Args: args, Dir: n.h.file("work"), Env: n.env.Environ(n.h.file("flwr_home")),
		LogFile: n.h.logFile(), Log: logfile.Keep{Max: 10 << 20, Old: 3}, DieWithParent: true,
	})
	if err != nil {
		return nil, errors.Join(domain.Errorf(domain.Unavailable, "The SuperNode could not be started."), err, proxy.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	sn := &superNode{child: child, proxy: proxy, stopApps: cancel}
	sn.apps.Go(func() { apps.run(ctx) })
	return sn, nil
}

// serveProxy starts the local proxy on a free port.
func (n *node) serveProxy(onMessage func()) (*http.Server, string, error) {
	loc, err := makeLocal(n.h)
	if err != nil {
		return nil, "", err
	}
	p := &localProxy{superLink: n.st.SuperLink, transport: n.conn.transport,
		sign: func() (http.Header, error) { return n.sign.headers() }, publicPEM: n.pem, local: loc, onMessage: onMessage}
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("finding a free port: %w", err)
	}
	srv := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = srv.Serve(tls.NewListener(ln, loc.tls)) }()
	return srv, ln.Addr().String(), nil
}

// port returns a free port on loopback for the SuperNode's own Runtime API.
func (n *node) port() (int, error) {
	if n.j.o.NodePort != 0 {
		return n.j.o.NodePort, nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	return port, ln.Close()
}
