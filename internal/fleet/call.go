package fleet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/portmux"
)

// call is one request on its way through the gateway.
type call struct {
	g      *Gateway
	w      http.ResponseWriter
	r      *http.Request
	meth   method
	signer *wire.Signer
	node   *node
	key    domain.NodeKey
	up     *upstream
	body   *body
	head   []byte // the beginning of the body, checked

	began   time.Time  // when the call was let in
	ended   time.Time  // when the SuperLink answered
	went    bool       // the SuperLink answered well
	message messageKey // that a pull-messages brings, or that a push-object answers, as far as it is known

	whole   []byte       // the body, if it was read whole: the call can continue without its client; else nil
	beat    beaten       // a heartbeat that goes on to the SuperLink
	polled  []byte       // a whole answer to pull-messages that brings a message
	waited  atomic.Int64 // how long it was held open, as a [time.Duration]
	inside  atomic.Int32 // who uses the call's slot: the handler, and a call upstream that outlives it
	release func()       // gives back the memory of a large body; may be nil

	mu    sync.Mutex
	cause error // why it was ended from outside
	stop  context.CancelFunc
	done  bool
}

// serve does all checks in the order of their cost, then forwards. A returned error has not been answered yet.
func (c *call) serve() error {
	if err := c.known(); err != nil {
		return err
	}
	leave, many := c.crowded()
	defer leave()
	if many {
		return errCrowded
	}
	now := c.g.o.Clock()
	ip := clientIP(c.r)
	if c.g.failures.blocked(ip, now) {
		return again("Too many refused requests from this address.", 30)
	}
	claim, err := wire.ReadClaim(c.r.Header, now)
	if err == nil {
		c.signer, err = c.identify(claim, ip)
	}
	if errors.Is(err, errChecking) {
		return err
	}
	if err != nil {
		c.g.failures.note(ip, now)
		return refused("The request is not signed with a valid SuperNode key and the current time. Check the clock of this machine.", err)
	}
	ctx, stop := context.WithCancel(c.r.Context())
	defer stop()
	c.r, c.stop = c.r.WithContext(ctx), stop
	c.node = c.g.enter(c.signer.Fingerprint, c)
	defer c.g.leave(c.node, c)
	defer c.finish()
	if err := c.authorize(claim.Timestamp, now); err != nil {
		if statusOf(err) == http.StatusUnauthorized {
			c.g.failures.note(ip, now)
		}
		return c.orCause(err)
	}
	c.g.signers.keep(claim.KeyText, c.signer)
	portmux.Trust(c.r.Context())
	c.begin()
	defer c.finishWork()
	return c.orCause(c.admit())
}

// known checks that this is a Fleet call in the one form that SuperNodes use.
func (c *call) known() error {
	m, ok := methods[c.r.URL.Path]
	if !ok || c.r.URL.RawQuery != "" || c.r.URL.RawPath != "" {
		return &refusal{status: http.StatusNotFound, detail: "Not Found"}
	}
	if c.r.Method != http.MethodPost {
		return &refusal{status: http.StatusMethodNotAllowed, detail: "Method Not Allowed"}
	}
	// The SuperLink checks a node's identity only in bodies of this type: nothing else may reach it.
	if kinds := c.r.Header["Content-Type"]; len(kinds) != 1 || !isProtobuf(kinds[0]) || c.r.Header.Get("Content-Encoding") != "" {
		return &refusal{status: http.StatusUnsupportedMediaType, code: 1002, detail: "Unsupported content type."}
	}
	if c.r.ContentLength > min(m.most, c.g.o.MaxBody) {
		return &refusal{status: http.StatusRequestEntityTooLarge, detail: "The body is too large."}
	}
	if c.r.ContentLength < 0 {
		return &refusal{status: http.StatusLengthRequired, detail: "The body's length is missing."}
	}
	c.meth = m
	return nil
}

func isProtobuf(contentType string) bool {
	const want = "application/protobuf"
	if contentType == want {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == want
}

// authorize finds the key and uses up the signature.
func (c *call) authorize(signed, now time.Time) error {
	key, err := c.node.lookup(c.r.Context(), c.g.o.Keys, now)
	switch {
	case domain.CodeOf(err) == domain.NotFound:
		return refused("This key is not enrolled, or its request to join is not approved.", err)
	case err != nil:
		return again("The key cannot be looked up now.", 5).because(err)
	case !key.RevokedAt.IsZero():
		return errRevoked
	case !key.SuspendedAt.IsZero():
		return errSuspended
	case len(key.PublicPEM) > 0 && !bytes.Equal(key.PublicPEM, c.signer.PublicPEM):
		return refused("The key is enrolled in another form.", nil) // the SuperLink compares the bytes
	case c.meth.never:
		return refused("SuperNodes are registered by approval, not by themselves.", nil)
	}
	c.key = key
	if signed.Before(c.g.started) {
		// It may have been used before a restart; nobody can tell. An honest SuperNode signs its next try anew.
		return again("The signature is older than this server's start.", 1)
	}
	c.node.mu.Lock()
	times, full := c.node.used.use(signed, now)
	c.node.mu.Unlock()
	if times > 1 {
		// Two threads of a SuperNode may sign in one moment of a coarse clock: a 401 would end it, and the next try is signed anew.
		// Whoever has stolen a signature tries it more often than a SuperNode has threads.
		if times > c.g.o.CallsPerKey {
			c.g.failures.note(clientIP(c.r), now)
		}
		return errUsed
	}
	if full {
		return again("Too many requests of this key.", 60)
	}
	return nil
}

// admit paces the call, checks its body and forwards it.
func (c *call) admit() error {
	up, ok := c.g.ups.find(c.g.o.Upstreams, c.key.FederationID)
	if !ok || c.key.NodeID == 0 {
		c.alive(0, 0)
		return again("The federation's SuperLink is not up.", 5)
	}
	c.up = up
	select {
	case c.node.slots <- struct{}{}:
		c.inside.Add(1)
		defer c.outside()
	default:
		return again("Too many requests of this key at once.", 2)
	}
	if err := c.pace(); err != nil {
		return err
	}
	c.began = c.g.o.Clock().UTC()
	c.body = &body{call: c, in: c.r.Body, left: c.r.ContentLength}
	checked, err := c.check()
	if err != nil {
		return err
	}
	c.alive(0, 0)
	c.replying()
	c.forward(checked)
	return nil
}

// pace slows a key down that makes too many requests.
func (c *call) pace() error {
	if c.node.pace.Allow() {
		return nil
	}
	wait, cancel := context.WithTimeout(c.r.Context(), 10*time.Second)
	defer cancel()
	if err := c.node.pace.Wait(wait); err != nil {
		return again("Too many requests of this key.", 5).because(err)
	}
	return nil
}

// alive notes a sign of life of the key. The end of a poll that was held while the SuperNode said goodbye is none.
func (c *call) alive(in, out int64) {
	if c.node.touch(c.g.o.Clock(), in, out, c.meth.sign != signBye && !c.node.leftSince(c.began)) {
		c.g.notify(c.node)
	}
}

// end stops the call from outside, such as for a revocation.
func (c *call) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done || c.cause != nil {
		return
	}
	c.cause = cause
	c.stop()
	// A body that is being waited for does not notice the context.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Unix(1, 0))
}

func (c *call) finish() {
	c.mu.Lock()
	c.done = true
	c.mu.Unlock()
}

// outside gives back what the call holds when its last user leaves.
func (c *call) outside() {
	if c.inside.Add(-1) > 0 {
		return
	}
	<-c.node.slots
	if c.release != nil {
		c.release()
	}
}

// orCause prefers the cause of an end from outside to what it led to.
func (c *call) orCause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.cause != nil {
		return c.cause
	}
	return err
}

// body reads a request's body with a limit on pauses, and counts it.
type body struct {
	call *call
	in   io.ReadCloser
	left int64
	n    int64 // read so far

	waited time.Duration // for the client
}

// A body must bring bodyRate bytes for each second that it is waited for, beyond bodyGrace pauses: it holds one of its key's places.
const (
	bodyGrace = 2
	bodyRate  = 1 << 10
)

// Read extends the deadline before each read and takes it away at the end: an expired one would end a call that waits for its answer.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	idle := b.call.g.o.BodyIdle
	left := bodyGrace*idle + time.Duration(b.n/bodyRate)*time.Second - b.waited
	if left <= 0 {
		return 0, portmux.ErrSlow
	}
	began := time.Now()
	if err := b.deadline(began.Add(min(left, idle))); err != nil {
		return 0, err
	}
	n, err := b.in.Read(p)
	b.waited += time.Since(began)
	b.n += int64(n)
	b.left -= int64(n)
	if b.left == 0 {
		// Reading to the end lets the server watch the connection while the SuperLink thinks.
		if err == nil {
			_, _ = b.in.Read(make([]byte, 1))
		}
		if derr := b.deadline(time.Time{}); derr != nil {
			return n, derr
		}
		return n, io.EOF
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) deadline(t time.Time) error {
	c := b.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	if c.done {
		return net.ErrClosed
	}
	err := http.NewResponseController(c.w).SetReadDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
