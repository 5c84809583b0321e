package portmux

import (
	"context"
	"slices"
	"sync"
)

// Memory keeps what the client at the other end of a TLS connection has proved, for as long as the connection lives. It is safe for
// concurrent use.
type Memory struct {
	mu     sync.Mutex
	proved []string
}

// mostProved bounds what one connection proves: a client needs one or two.
const mostProved = 8

// Proved reports whether Prove was called with what.
func (m *Memory) Proved(what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.proved, what)
}

// Prove keeps what; beyond eight things it keeps the newest.
func (m *Memory) Prove(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.proved, what) {
		return
	}
	if len(m.proved) >= mostProved {
		m.proved = m.proved[1:]
	}
	m.proved = append(m.proved, what)
}

// MemoryOf returns the memory of the connection that a request came on. It is nil where a connection may carry requests of several
// clients: for plain HTTP, and behind a declared proxy. The context is that of a request to a server that [Limit] was called for.
func MemoryOf(ctx context.Context) *Memory {
	c, _ := ctx.Value(connKey{}).(*conn)
	if c == nil || !c.tls || c.crowd.proxied {
		return nil
	}
	return &c.memory
}
