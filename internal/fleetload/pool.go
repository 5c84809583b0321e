package fleetload

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/flower/wire"
)

const (
	keepAlive   = 5 * time.Second // how long httpx uses an idle connection again
	callTimeout = 30 * time.Second
	maxAnswer   = 64 << 20
	contentType = "application/protobuf"
)

// pool holds the connections of one client as httpx does: an idle connection is used again for five seconds, the oldest first. Expired ones
// are closed when the next call begins or ends, not by a timer. One client's calls may run side by side.
type pool struct {
	dial  *dialer
	from  net.IP // nil: any
	count *traffic
	bind  func(tls.ConnectionState) (string, error) // makes [wire.HeaderChannel]; nil: connections are not bound

	mu     sync.Mutex
	conns  []*clientConn
	closed bool
}

type clientConn struct {
	timed *timedConn
	net.Conn
	read  *bufio.Reader
	busy  bool
	used  bool
	since time.Time // when it became idle
}

var errPoolClosed = errors.New("the client is closed")

// sweep closes the idle connections that have expired, and those that the server has closed. The caller holds the lock.
func (p *pool) sweep(now time.Time) {
	p.conns = slices.DeleteFunc(p.conns, func(c *clientConn) bool {
		gone := !c.busy && (now.Sub(c.since) > keepAlive || readable(c.timed.Conn))
		if gone {
			_ = c.Close()
		}
		return gone
	})
}

func (p *pool) acquire(ctx context.Context, limit time.Duration) (*clientConn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errPoolClosed
	}
	p.sweep(time.Now())
	for _, c := range p.conns {
		if !c.busy {
			c.busy, c.timed.limit = true, limit
			p.mu.Unlock()
			return c, nil
		}
	}
	p.mu.Unlock()
	timed, conn, err := p.dial.dial(ctx, p.from, limit, p.count)
	if err != nil {
		return nil, err
	}
	c := &clientConn{timed: timed, Conn: conn, read: bufio.NewReaderSize(conn, 1024), busy: true}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return nil, errPoolClosed
	}
	p.conns = append(p.conns, c)
	return c, nil
}

func (p *pool) release(c *clientConn, reusable bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c.busy, c.since = false, now
	if !reusable {
		c.since = time.Time{}
	}
	p.sweep(now)
}

// close closes all connections, so that calls under way end.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		_ = c.timed.Conn.Close()
	}
	p.conns = nil
}

// reopen closes all connections and lets further calls open new ones.
func (p *pool) reopen() {
	p.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
}

// answer is what came back for a request.
type answer struct {
	status     int
	retryAfter string
	body       []byte
}

// roundTrip sends one request, whose head is complete but for its end, and reads the whole answer.
func (p *pool) roundTrip(ctx context.Context, head, body []byte, limit time.Duration) (answer, error) {
	c, err := p.acquire(ctx, limit)
	if err != nil {
		return answer{}, err
	}
	if !c.used && p.bind != nil {
		head = p.bound(c, head)
	}
	c.used = true
	a, reusable, err := c.exchange(head, body)
	p.release(c, reusable && err == nil)
	return a, err
}

// bound adds the header that binds the key to a connection, as agents do with their first request on it.
func (p *pool) bound(c *clientConn, head []byte) []byte {
	secure, ok := c.Conn.(*tls.Conn)
	if !ok {
		return head
	}
	text, err := p.bind(secure.ConnectionState())
	if err != nil {
		return head
	}
	return append(appendHeader(head[:len(head)-len("\r\n")], wire.HeaderChannel, text), "\r\n"...)
}

func (c *clientConn) exchange(head, body []byte) (a answer, reusable bool, err error) {
	if len(body) < 16<<10 { // one packet
		_, err = c.Write(append(head, body...))
	} else if _, err = c.Write(head); err == nil {
		_, err = c.Write(body)
	}
	if err != nil {
		return a, false, err
	}
	res, err := http.ReadResponse(c.read, nil)
	for err == nil && res.StatusCode/100 == 1 { // informational: the answer comes later
		res, err = http.ReadResponse(c.read, nil)
	}
	if err != nil {
		return a, false, err
	}
	defer res.Body.Close()
	a.status, a.retryAfter = res.StatusCode, res.Header.Get("Retry-After")
	a.body, err = readBody(res)
	return a, !res.Close, err
}

func readBody(res *http.Response) ([]byte, error) {
	if res.ContentLength > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", res.ContentLength)
	}
	if res.ContentLength >= 0 {
		body := make([]byte, res.ContentLength)
		_, err := io.ReadFull(res.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return body, err
}

// appendHead begins a request as httpx writes it.
func appendHead(b []byte, path, host string, length int) []byte {
	b = append(b, "POST "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\nAccept: "+contentType+"\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\nUser-Agent: python-httpx/0.28.1\r\n"+
		"Content-Type: "+contentType+"\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	return append(b, "\r\n"...)
}

func appendHeader(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}
