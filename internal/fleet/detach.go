package fleet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/safely"
)

// A SuperNode gives a heartbeat up after 5 s and any other call after 30 s. Passing that on would close the connection to a SuperLink
// that is busy already, which then spends its time in TLS handshakes; it would not stop the SuperLink's work either. In the worst case
// it would lose a message, because pull-messages gives each one only once. So a call whose body has arrived whole continues upstream
// without its client.

// answer is what came of a call upstream.
type answer struct {
	res     *http.Response
	message []byte // the whole answer to a pull-messages that brings a message
	err     error
}

// send forwards a request. It returns early when the client leaves.
func (c *call) send(r *http.Request) (*http.Response, error) {
	leave, err := c.turn(r.Context())
	if err != nil {
		return nil, err
	}
	if c.whole == nil {
		defer leave()
		return c.up.tr.RoundTrip(r)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	out := r.WithContext(ctx)
	out.Body = io.NopCloser(bytes.NewReader(c.whole)) // r may be sent several times
	got := make(chan answer, 1)
	c.inside.Add(1)
	go func() {
		defer leave()
		var a answer
		if err := safely.Do(c.g.o.Log, "forwarding a call", func() error {
			if a.res, a.err = c.up.tr.RoundTrip(out); a.err == nil && c.meth.held == heldPoll { //nolint:bodyclose // the receiver closes it
				a.message, a.err = readPoll(a.res)
			}
			if c.meth.sign == signHeartbeat && a.err == nil {
				c.noteBeat(a.res)
			}
			return nil
		}); err != nil {
			a.err = err
		}
		got <- a
	}()
	select {
	case a := <-got:
		c.outside()
		if a.err != nil {
			cancel()
			return nil, a.err
		}
		c.polled = a.message
		stop := context.AfterFunc(r.Context(), cancel) // the rest of the answer has no use without the client
		a.res.Body = &closing{a.res.Body, func() { stop(); cancel() }}
		return a.res, nil
	case <-r.Context().Done():
		if errors.Is(c.orCause(r.Context().Err()), errRevoked) {
			cancel()
		}
		go safely.Go(c.g.o.Log, "ending a call without its client", func() {
			defer c.outside()
			defer cancel()
			if a := <-got; a.err == nil {
				c.keepPoll(a.message)
				drain(a.res)
			}
		})
		return nil, r.Context().Err()
	}
}

// closing is a body that ends its call when it is closed.
type closing struct {
	io.ReadCloser
	done func()
}

// Close closes the body and ends the call.
func (b *closing) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

const (
	maxPoll   = 8 << 20          // a larger answer to pull-messages is not kept for a client that left
	keptPolls = 4                // answers kept for one key
	keptFor   = 10 * time.Minute // a message that is older has most likely lost its run
)

// poll is an answer to pull-messages that brings a message.
type poll struct {
	body []byte
	at   time.Time
}

// readPoll reads an answer to pull-messages whole and returns it if it brings a message.
func readPoll(res *http.Response) (message []byte, err error) {
	if res.StatusCode != http.StatusOK || res.ContentLength < 0 || res.ContentLength > maxPoll {
		return nil, nil
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if _, ok := firstMessage(body); !ok {
		return nil, nil
	}
	return body, nil
}

// keepPoll keeps a message that did not reach the client. The key's next poll gets it.
func (c *call) keepPoll(message []byte) {
	if message == nil {
		return
	}
	n := c.node
	n.mu.Lock()
	if len(n.kept) < keptPolls {
		n.kept = append(n.kept, poll{message, c.g.o.Clock()})
	}
	n.mu.Unlock()
	c.g.o.Log.Info("a SuperNode left before it got its message; the message is kept for its next poll",
		"federation", c.key.FederationID, "partition", c.key.Partition)
	c.g.Wake(c.key.FederationID) // the next poll may be waiting already
}

// keptPoll returns the oldest answer kept for the key, or nil.
func (c *call) keptPoll(r *http.Request) *http.Response {
	if c.meth.held != heldPoll {
		return nil
	}
	n, now := c.node, c.g.o.Clock()
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.kept) > 0 {
		p := n.kept[0]
		n.kept = n.kept[1:]
		if now.Sub(p.at) > keptFor {
			continue
		}
		c.polled = p.body
		return &http.Response{
			Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Request: r, ContentLength: int64(len(p.body)),
			Header: http.Header{"Content-Type": {"application/protobuf"}, "Content-Length": {strconv.Itoa(len(p.body))}},
			Body:   io.NopCloser(bytes.NewReader(p.body)),
		}
	}
	return nil
}
