package portmux

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits bound the open connections. A zero value takes the default.
//
// A connection belongs to a stranger until [Trust] is called for a request on it. Strangers get only a part of all connections; the
// rest is reserved for approved SuperNodes and signed-in people. A limit on strangers turns no one away: the new connection takes
// the place of the oldest one of the address that holds most. So even during a flood everyone has the moment that it takes to
// identify themselves.
type Limits struct {
	Conns        int // all connections; 65536, or three quarters of the files that this process may open if that is less
	PerAddress   int // of one address (of IPv6 a /64), strangers or not; half of Conns
	Strangers    int // connections of strangers; a quarter of Conns
	StrangersPer int // of one address; a quarter of Strangers
}

const mostConns = 1 << 16

func (l Limits) withDefaults(proxied bool) Limits {
	setDefault(&l.Conns, min(mostConns, openFiles()/4*3))
	setDefault(&l.PerAddress, max(l.Conns/2, 1))
	setDefault(&l.Strangers, max(l.Conns/4, 1))
	setDefault(&l.StrangersPer, max(l.Strangers/4, 1))
	if proxied { // everyone comes from the proxy's address
		l.PerAddress, l.StrangersPer = l.Conns, l.Strangers
	}
	return l
}

func setDefault(v *int, def int) {
	if *v == 0 {
		*v = def
	}
}

// crowd knows the open connections. It is safe for concurrent use.
type crowd struct {
	limits    Limits
	proxied   bool
	writeWait time.Duration

	mu        sync.Mutex
	all       int
	strangers map[*conn]struct{}
	peers     map[netip.Prefix]*peer
	count     uint64 // connections so far: the order of their age
}

type peer struct{ all, strangers int }

func newCrowd(o Options) *crowd {
	return &crowd{limits: o.Limits.withDefaults(o.Proxied), proxied: o.Proxied, writeWait: o.Write, strangers: map[*conn]struct{}{},
		peers: map[netip.Prefix]*peer{}}
}

// peerOf returns whom a connection's limits count: an IPv4 address or an IPv6 /64.
func peerOf(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits) // the length fits
	return p
}

// admit counts a new connection in, closing another one for it if need be. It returns nil when there is no room.
func (w *crowd) admit(c net.Conn) *conn {
	out := &conn{Conn: c, crowd: w, peer: peerOf(c.RemoteAddr())}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.peers[out.peer]
	if p == nil {
		p = &peer{}
		w.peers[out.peer] = p
	}
	var victims []*conn
	if p.strangers >= w.limits.StrangersPer || p.all >= w.limits.PerAddress {
		victims = append(victims, w.oldest(func(c *conn) bool { return c.peer == out.peer }))
	} else if len(w.strangers) >= w.limits.Strangers || w.all >= w.limits.Conns {
		most := 0
		for _, p := range w.peers {
			most = max(most, p.strangers)
		}
		victims = append(victims, w.oldest(func(c *conn) bool { return w.peers[c.peer].strangers == most }))
	}
	for _, v := range victims {
		if v == nil { // all are trusted
			w.forgetPeer(out.peer)
			return nil
		}
		w.remove(v)
		_ = v.Conn.Close() // it does not block: no linger is set
	}
	if p = w.peers[out.peer]; p == nil { // its only connection was the victim
		p = &peer{}
		w.peers[out.peer] = p
	}
	w.count++
	out.age, out.in, out.stranger = w.count, true, true
	w.all++
	p.all, p.strangers = p.all+1, p.strangers+1
	w.strangers[out] = struct{}{}
	return out
}

// oldest returns the oldest connection of a stranger that matches, or nil.
func (w *crowd) oldest(match func(*conn) bool) *conn {
	var out *conn
	for c := range w.strangers {
		if match(c) && (out == nil || c.age < out.age) {
			out = c
		}
	}
	return out
}

// remove counts a connection out, once.
func (w *crowd) remove(c *conn) {
	if !c.in {
		return
	}
	c.in = false
	w.all--
	p := w.peers[c.peer]
	p.all--
	if c.stranger {
		p.strangers--
		delete(w.strangers, c)
	}
	w.forgetPeer(c.peer)
}

func (w *crowd) forgetPeer(key netip.Prefix) {
	if p := w.peers[key]; p != nil && p.all == 0 {
		delete(w.peers, key)
	}
}

func (w *crowd) leave(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(c)
}

// setStranger moves a connection between strangers and others.
func (w *crowd) setStranger(c *conn, stranger bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.in || c.stranger == stranger {
		return
	}
	c.stranger = stranger
	if stranger {
		w.peers[c.peer].strangers++
		w.strangers[c] = struct{}{}
		return
	}
	w.peers[c.peer].strangers--
	delete(w.strangers, c)
}

type connKey struct{}

func connOf(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	own, _ := c.(*conn)
	return own
}

// Trust takes the connection of a request out of the strangers' share. Call it once the client has proved who it is. The context is
// that of a request to a server that [Limit] was called for; with any other it does nothing.
func Trust(ctx context.Context) {
	if c, _ := ctx.Value(connKey{}).(*conn); c != nil {
		c.crowd.setStranger(c, false)
	}
}

// Limit sets the time and size limits of a server on the open internet on s, where they are not set, and lets [Trust] find the
// connection of a request. Bodies are limited by [Pace].
func Limit(s *http.Server) {
	if s.ReadHeaderTimeout == 0 {
		s.ReadHeaderTimeout = 10 * time.Second
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = 2 * time.Minute
	}
	if s.MaxHeaderBytes == 0 {
		s.MaxHeaderBytes = 32 << 10
	}
	if s.HTTP2 == nil {
		s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 100, SendPingTimeout: time.Minute, PingTimeout: 15 * time.Second}
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, connOf(c))
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		// Behind a proxy the next request on a connection may be another client's.
		if own := connOf(c); own != nil && own.crowd.proxied && state == http.StateActive {
			own.crowd.setStranger(own, true)
		}
	}
}
