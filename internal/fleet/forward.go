package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/superlink"
)

// upstream is one federation's SuperLink and the connections to it.
type upstream struct {
	addr    string
	tr      *http.Transport
	builtin http.RoundTripper // to our own SuperLink; nil: it is Flower's

	mu  sync.Mutex
	tls *tls.Config
}

// upstreams keeps connections per federation.
type upstreams struct {
	answerWithin time.Duration
	mu           sync.Mutex
	byFed        map[int64]*upstream
}

// find returns the federation's SuperLink; a new address gets new connections.
func (us *upstreams) find(where Upstreams, fed int64) (*upstream, bool) {
	if tr := where.Builtin(fed); tr != nil {
		return &upstream{addr: "keeper", builtin: tr}, true
	}
	addr, conf, ok := where.For(fed)
	if !ok {
		return nil, false
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	u := us.byFed[fed]
	if u == nil || u.addr != addr {
		if u != nil {
			u.tr.CloseIdleConnections()
		}
		u = newUpstream(addr, us.answerWithin)
		us.byFed[fed] = u
	}
	u.mu.Lock()
	u.tls = conf
	u.mu.Unlock()
	return u, true
}

func (us *upstreams) close() {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.byFed {
		u.tr.CloseIdleConnections()
	}
}

func newUpstream(addr string, answerWithin time.Duration) *upstream {
	u := &upstream{addr: addr}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	u.tr = &http.Transport{
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			u.mu.Lock()
			conf := u.tls
			u.mu.Unlock()
			host, _, err := net.SplitHostPort(to)
			if err != nil {
				return nil, err
			}
			conf = conf.Clone()
			if conf.ServerName == "" {
				conf.ServerName = host
			}
			return (&tls.Dialer{NetDialer: dialer, Config: conf}).DialContext(ctx, network, to)
		},
		DisableCompression:    true,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       4 * time.Second, // the SuperLink drops idle connections after 5 s; a POST that meets that is lost
		ResponseHeaderTimeout: answerWithin,
	}
	return u
}

func (u *upstream) scheme() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tls == nil {
		return "http"
	}
	return "https"
}

// roundTrip sends a request over its federation's connections.
func (c *call) roundTrip(r *http.Request) (*http.Response, error) {
	if c.up.builtin != nil {
		return c.straight(r)
	}
	if c.meth.held != heldNot {
		return c.hold(r)
	}
	if c.meth.sign == signHeartbeat {
		return c.heartbeat(r)
	}
	return c.send(r)
}

// straight sends a request to our own SuperLink.
func (c *call) straight(r *http.Request) (*http.Response, error) {
	if c.meth.held != heldPoll { // a poll waits there, and costs nothing meanwhile
		leave, err := c.turn(r.Context())
		if err != nil {
			return nil, err
		}
		defer leave()
		return c.up.builtin.RoundTrip(r)
	}
	if res := c.keptPoll(r); res != nil {
		return res, nil
	}
	most, interim := c.mayHold()
	if interim {
		defer c.keepOpen()()
	}
	r.Header.Set(superlink.HeaderHold, strconv.FormatInt(most.Milliseconds(), 10))
	res, err := c.up.builtin.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c.polled, err = readPoll(res) // kept for the next poll where it does not reach the SuperNode
	return res, err
}

// forward sends the checked request upstream and streams the answer back.
func (c *call) forward(checked io.Reader) {
	counted := &meteredWriter{ResponseWriter: c.w}
	defer func() {
		if c.polled != nil && counted.n < int64(len(c.polled)) {
			c.went = false
			c.keepPoll(c.polled)
		}
		c.alive(c.body.n, counted.n)
		c.timed(c.body.n, counted.n)
	}()
	res, err := c.roundTrip(c.outgoing(checked))
	if err == nil {
		if err = c.answered(res); err != nil {
			_ = res.Body.Close()
		}
	}
	if err != nil {
		c.failed(err)
		return
	}
	defer res.Body.Close()
	h := c.w.Header()
	for name, values := range res.Header {
		if !perConnection[name] {
			h[name] = values
		}
	}
	counted.WriteHeader(res.StatusCode)
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	if _, err := io.CopyBuffer(counted, res.Body, *buf); err != nil {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
}

// perConnection are headers of an answer that are not passed on: they are of one connection, or this server gives its own. An answer to
// a poll that was held is old, and agents set their clocks by the date.
var perConnection = map[string]bool{"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "Date": true}

// passedOn are the headers of a request, besides Flower's, that the SuperLink gets.
var passedOn = []string{"Accept", "Accept-Encoding", "User-Agent"}

// outgoing makes the outgoing request from what was checked: the method's own path, the length announced, and no header that
// Flower's Fleet API does not use.
func (c *call) outgoing(checked io.Reader) *http.Request {
	out := &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: c.up.scheme(), Host: c.up.addr, Path: c.meth.path}, Host: c.up.addr,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: c.r.ContentLength, Body: io.NopCloser(checked),
		Header: make(http.Header, len(c.r.Header)+1)}
	if c.up.builtin == nil { // ours reads no header of a SuperNode
		passHeader(out.Header, c.r.Header)
	}
	out.Header["Content-Type"] = []string{"application/protobuf"}
	return out.WithContext(c.r.Context())
}

// passHeader copies what Flower's SuperLink may see of a request's header.
func passHeader(out, in http.Header) {
	for name, values := range in {
		if strings.HasPrefix(name, "Flwr-") && !strings.HasPrefix(name, "Flwr-Superexec-") && name != "Flwr-Task-Token" {
			out[name] = values
		}
	}
	for _, name := range passedOn {
		if values, given := in[name]; given {
			out[name] = values
		}
	}
	if out["User-Agent"] == nil {
		out["User-Agent"] = nil // the transport shall not add its own
	}
}

// errUnknownNode: the SuperLink refused what the gateway holds to be right. That is no reason to end a SuperNode for good.
var errUnknownNode = again("The SuperLink does not know this SuperNode yet.", 5)

// errStillOnline: a SuperNode that died is taken for online until its heartbeats are missed. Waiting heals it; Flower's 412 would end the
// SuperNode.
var errStillOnline = again("The SuperLink takes this SuperNode for online still; wait until it notices, within two minutes.", 5)

// answered looks at the SuperLink's status before it is passed on.
func (c *call) answered(res *http.Response) error {
	now := c.g.o.Clock()
	switch {
	case c.r.Context().Err() != nil:
		return c.r.Context().Err() // what the answer brings must not count as delivered
	case res.StatusCode == http.StatusUnauthorized:
		_ = res.Body.Close()
		c.g.o.Log.Warn("the SuperLink refused an approved key", "federation", c.key.FederationID, "partition", c.key.Partition, "path",
			c.meth.path)
		if c.g.o.OnUnknown != nil {
			c.g.o.OnUnknown(c.key)
		}
		return errUnknownNode
	case c.meth.sign == signHello && res.StatusCode == http.StatusPreconditionFailed && c.node.waitOnline(now):
		_ = res.Body.Close()
		return errStillOnline
	case c.transient(res, now):
		c.g.o.Log.Info("the SuperLink answered 500; its log says why", "federation", c.key.FederationID, "partition", c.key.Partition, "path",
			c.meth.path)
		return errTransient
	}
	if c.meth.content != 0 && c.up.builtin == nil {
		c.healStored(res)
	}
	c.ended = now.UTC()
	ok := res.StatusCode < 300
	if c.went = ok; ok && c.meth.step == stepTake {
		c.peekMessage(res)
	}
	switch {
	case !ok:
	case c.meth.step == stepPut:
		c.announced(res)
	case c.meth.step == stepSend:
		c.arrived()
	}
	c.node.mu.Lock()
	switch {
	case c.meth.sign == signHeartbeat && ok:
		c.node.heartbeatAt = now
	case c.meth.sign == signBye && ok:
		c.node.byeAt, c.node.beat = now.UTC(), beaten{}
	case c.meth.sign == signHello && ok:
		c.node.refusedAt, c.node.beat = time.Time{}, beaten{}
		if v := c.r.Header.Get(headerVersion); versionPattern.MatchString(v) {
			c.node.seen.Flwr = v
		}
	}
	c.node.mu.Unlock()
	if c.meth.sign == signBye && ok {
		c.g.setOffline(c.node)
	}
	return nil
}

// headerVersion is where each part of Flower tells its version (flwr 1.42).
const headerVersion = "flwr-package-version"

var versionPattern = regexp.MustCompile(`^[0-9][0-9A-Za-z.+-]{0,39}$`)

// waitOnline reports whether an activation refused as still online shall be tried again: yes, until a heartbeat shows that
// another SuperNode with this key is alive.
func (n *node) waitOnline(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refusedAt.IsZero() || now.Sub(n.refusedAt) > 2*domain.OnlineWindow {
		n.refusedAt = now
	}
	return !n.heartbeatAt.After(n.refusedAt)
}

// failed answers for a SuperLink that did not.
func (c *call) failed(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		if c.r.Context().Err() == nil {
			c.g.o.Log.Info("a Fleet request did not get through to the SuperLink", "federation", c.key.FederationID, "path", c.meth.path, "err", err)
		}
		err = again("The federation's SuperLink does not answer now.", 3).because(err)
	}
	c.refuse(c.orCause(err))
}

// meteredWriter counts what goes back to the SuperNode.
type meteredWriter struct {
	http.ResponseWriter
	n int64
}

// Write counts and writes. There is no ReadFrom, so that the count is right.
func (m *meteredWriter) Write(p []byte) (int, error) {
	n, err := m.ResponseWriter.Write(p)
	m.n += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (m *meteredWriter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// copyBuffers are of answers: memory stays constant per request.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
