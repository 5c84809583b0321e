package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
)

// node keeps one SuperNode running.
type node struct {
	j      *joining
	h      home
	st     *state
	sign   *signer // with the enrolled key
	pem    []byte  // the key's public half
	env    python.Env
	conn   *connection
	deps   bool
	users  appUsers
	port   atomic.Int32 // of the SuperNode on this machine
	runs   knownRuns
	rec    *recorder   // nil until the SuperNode is kept running
	gate   *gatekeeper // likewise
	status *statusFile // likewise

	busy    bool        // the federation has a run, or the server has not said that it has none
	tried   os.FileInfo // the last file in the place of the running program
	retired bool        // an updated program takes over

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

// ask reports versions and returns what the server says of this machine; false while it is not reached.
func (n *node) ask(ctx context.Context) (got client.Enrolment, reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	rep := client.AgentReport{Flwr: n.env.FlwrVersion, Agent: n.j.o.Version, Python: n.env.PythonVersion, System: runtime.GOOS + "/" +
		runtime.GOARCH,
		Clock: int(n.j.clock.ahead().Seconds()), Proxy: n.j.srv.proxy(), Share: n.j.o.ShareLogs,
		Contained: n.j.o.containment(), Data: len(n.j.o.Data)}
	if n.rec != nil {
		head := n.rec.ledger.Head()
		rep.LedgerN, rep.LedgerHash = head.N, ledgerHash(head)
	}
	if n.gate != nil {
		p, err := n.gate.InForce()
		if err != nil {
			p = approval.Ask // nothing runs
		}
		rep.Approve = string(p)
	}
	for try := 0; ; try++ {
		err := n.j.srv.call(ctx, n.conn.client(), http.MethodPost, "/agent/report", rep, n.signed, &got)
		n.status.reached(err)
		switch code := domain.CodeOf(err); {
		case code == "":
			n.sayClock()
			n.runs.learn(got)
			return got, true, nil
		case code == domain.Unauthenticated && try == 0:
			continue // the time was wrong, which the answer corrected, or a proxy sent the call twice
		case code == domain.Unauthenticated, code == domain.Forbidden:
			return got, false, errEnded(n.h, n.st)
		}
		return got, false, nil // the SuperNode itself tries for ever
	}
}

func ledgerHash(h ledger.Head) string {
	if h.N == 0 {
		return ""
	}
	return h.Hash
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
	return n.adopt(got)
}

// adopt stores what the server says of this machine.
func (n *node) adopt(got client.Enrolment) error {
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
	n.j.say("The server has announced its new CA. This machine trusts it from now on.")
	return n.h.save(n.st)
}

// How often a running agent asks what has changed, and how long it waits for the answer.
const (
	askEvery = 20 * time.Second
	askLimit = 15 * time.Second

	refreshLimit = 5 * time.Second // before a run begins here
	tellLedger   = time.Second     // after the ledger has grown
)

// follow takes over what the server says now. A run under way keeps the node config that it began with. It reports whether the
// SuperNode has to connect again, because its SuperLink has another address.
func (n *node) follow(ctx context.Context, sn *supernode.Node) (moved bool) {
	n.busy = true
	got, reached, err := n.ask(ctx)
	if err != nil || !reached {
		return false // an access that has ended shows in the SuperNode's own end
	}
	n.busy = got.Busy
	n.status.offered(got.Version, n.j.o.Version)
	if got.Suspended != n.suspended {
		n.status.change(func(s *Status) { s.Suspended = got.Suspended })
		if n.suspended = got.Suspended; n.suspended != "" {
			n.j.say("A manager has suspended this SuperNode: %s. It waits and continues when it is resumed.", n.suspended)
		} else {
			n.j.say("Resumed.")
		}
	}
	n.gate.tell(ctx)
	before := *n.st
	if err := n.adopt(got); err != nil {
		n.j.say("What has changed at the server cannot be stored: %v", err)
	}
	if err := sn.SetConfig(n.config()); err != nil {
		n.j.say("The node config cannot be changed: %v", err)
	}
	return n.st.SuperLink != before.SuperLink
}

// config is the node config that Flower Apps see.
func (n *node) config() map[string]any {
	return map[string]any{"partition-id": int64(n.st.Partition), "num-partitions": int64(n.st.NumPartitions)}
}

// supernodePolicy starts a SuperNode again for as long as its owner lets it run.
var supernodePolicy = keeper.Policy{First: time.Second, Most: time.Minute, HealthyAfter: time.Minute}

// stopGrace is how long a ClientApp may take to end when it is asked to.
const stopGrace = 3 * time.Second

// keep runs the SuperNode until ctx ends. It returns an error when trying again cannot help.
func (n *node) keep(ctx context.Context) error {
	rec, err := n.openLedger()
	if err != nil {
		return err
	}
	defer func() { _ = rec.ledger.Close() }()
	n.rec = rec
	if n.gate, err = n.openGate(); err != nil {
		return err
	}
	rec.most = n.gate.MostBytes
	n.status = n.openStatus()
	if n.j.o.ShareLogs {
		n.j.say("The logs of the SuperNode and of the ClientApps go to the managers of %s, as you said with --share-logs.", n.st.Name)
		sharing, stop := context.WithCancel(ctx)
		shared := make(chan struct{})
		go func() { defer close(shared); n.share(sharing) }()
		defer func() { stop(); <-shared }()
	}
	log, err := logfile.Open(n.h.logFile(), logfile.Keep{Max: 10 << 20, Old: 3}, n.j.o.Clock)
	if err != nil {
		return fmt.Errorf("opening the SuperNode's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	n.sayContainment()
	if err := n.choosePort(); err != nil {
		return err
	}
	apps, err := n.clientApps()
	if err != nil {
		return err
	}
	defer apps.close()
	apps.background.Go(func() { apps.warm(apps.ctx) })
	restarts := keeper.Restarts{Policy: supernodePolicy}
	for {
		if err := n.tell(ctx); err != nil {
			return err
		}
		began := n.j.o.Clock()
		err := n.serve(ctx, apps, log)
		switch {
		case ctx.Err() != nil:
			n.status.connected(false, "The agent was stopped.")
			n.j.say("Stopped.")
			return nil // it was asked to stop
		case n.retired:
			n.status.connected(false, "The agent restarts with the updated program.")
			n.j.say("The program was updated. Restarting with it.")
			return &Replaced{n.j.o.Program, n.j.again(n)}
		case errors.Is(err, supernode.ErrRefused):
			if _, _, err := n.ask(ctx); err != nil {
				n.status.connected(false, messageOf(err))
				return err
			}
		case err == nil:
			n.j.say("The federation's SuperLink has another address; connecting again.")
			continue
		}
		if err := n.choosePort(); err != nil { // another process may have taken it
			return err
		}
		d := restarts.Died(n.j.o.Clock().Sub(began), fmt.Sprint(err))
		n.status.connected(false, fmt.Sprintf("The SuperNode ended: %v.", err))
		n.j.say("The SuperNode ended (%v); starting it again in %s. Log: %s", err, d.After, n.h.logFile())
		if !wait(ctx, d.After) {
			return nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// serve runs one SuperNode; nil means that it is to connect to another address.
func (n *node) serve(ctx context.Context, apps supernode.Apps, log io.Writer) error {
	online, refresh := make(chan uint64, 1), make(chan chan struct{})
	sn := supernode.New(supernode.Options{
		SuperLink: n.st.SuperLink, Transport: signing{n}, PublicPEM: n.pem, FlwrVersion: n.env.FlwrVersion, NodeID: n.st.NodeID,
		Dir: n.h.superNode(), Port: int(n.port.Load()), Parallel: n.j.o.Parallel, Apps: apps, Clock: n.j.clock.now, Recorder: n.rec,
		Log: func(format string, args ...any) {
			fmt.Fprintf(log, "%s "+format+"\n", append([]any{n.j.o.Clock().UTC().Format(time.RFC3339)}, args...)...)
		},
		Online: func(id uint64) { online <- id },
		Refresh: func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, refreshLimit)
			defer cancel()
			done := make(chan struct{})
			select {
			case refresh <- done:
			case <-ctx.Done():
				return
			}
			select {
			case <-done:
			case <-ctx.Done():
			}
		},
	})
	if err := sn.SetConfig(n.config()); err != nil {
		return err
	}
	n.j.say("Connecting to %s.", n.st.SuperLink)
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- sn.Run(running) }()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	var soon <-chan time.Time // the server is told how the ledger has grown
	for {
		select {
		case err := <-ended:
			return err
		case id := <-online:
			n.online(id)
		case <-n.rec.grown:
			if soon == nil {
				soon = time.After(tellLedger)
			}
		case <-soon:
			soon = nil
			if n.follow(ctx, sn) {
				stop()
			}
		case <-ask.C:
			if n.follow(ctx, sn) || n.retires(ctx) {
				stop()
			}
		case done := <-refresh:
			if n.follow(ctx, sn) {
				stop()
			}
			close(done)
		}
	}
}

// online says that the SuperLink has taken the SuperNode in, and keeps the id that it gave.
func (n *node) online(id uint64) {
	n.j.say("Connected as SuperNode %d. Runs start without further action; leave this running, Ctrl-C stops it. Log: %s", id, n.h.logFile())
	n.st.NodeID = id
	n.status.connected(true, "")
	if err := n.h.save(n.st); err != nil {
		n.j.say("The SuperNode's id cannot be stored: %v", err)
	}
}

// signing signs each Fleet request with the enrolled key and the server's time.
type signing struct{ n *node }

// RoundTrip implements http.RoundTripper. A refusal that is the fault of a wrong clock is an error that allows another try: the
// answer has set the clock right.
func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	sign := s.n.sign
	head, err := sign.headers()
	if err != nil {
		return nil, err
	}
	ahead := s.n.j.clock.ahead()
	signed := r.Clone(r.Context())
	for name, v := range head {
		signed.Header[name] = v
	}
	res, err := s.n.conn.transport().RoundTrip(sign.channels.Bind(signed))
	if err == nil && res.StatusCode == http.StatusUnauthorized && s.n.j.clock.ahead() != ahead {
		_ = res.Body.Close()
		return nil, errors.New("the request was signed with a wrong time")
	}
	return res, err
}
