package fleet

import (
	"net/http"
	"sync"
	"time"

	"blossomtune/internal/portmux"
)

// A SuperNode gives a call up that is silent for 30 s. An informational answer (102 Processing) breaks the silence: flwr 1.41 and 1.42
// (httpx
// 0.28) and Go wait for another 30 s after each, so polls are held open for longer, and idle SuperNodes cost a third.
//
// Not everything between takes such answers: some proxies drop them, others take them for the answer. So they are sent only where TLS ends
// here and no header tells of a proxy. A SuperNode that leaves in the middle of a long poll gets short ones for a while.
const (
	interimEvery = 20 * time.Second
	longHold     = 100 * time.Second // an agent's transport waits for 120 s (internal/agent)
	shortFor     = time.Hour
)

// proxyHeaders are those that a proxy adds.
var proxyHeaders = []string{"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip"}

// mayHold returns for how long a poll may be held open, and whether informational answers are needed for that.
func (c *call) mayHold() (d time.Duration, interim bool) {
	short := c.g.o.Hold
	if !c.r.ProtoAtLeast(1, 1) || portmux.MemoryOf(c.r.Context()) == nil {
		return short, false
	}
	for _, name := range proxyHeaders {
		if c.r.Header[name] != nil {
			return short, false
		}
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if c.g.o.Clock().Before(c.node.shortUntil) {
		return short, false
	}
	return max(short, c.g.o.LongHold), true
}

// interim sends informational answers while a poll is held open.
type interim struct {
	c     *call
	began time.Time
	timer *time.Timer

	mu    sync.Mutex
	ended bool
	sent  bool
}

// keepOpen sends informational answers until the returned function is called.
func (c *call) keepOpen() (stop func()) {
	i := &interim{c: c, began: time.Now()}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.timer = time.AfterFunc(c.g.o.Interim, i.send)
	return i.stop
}

func (i *interim) send() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended || i.c.r.Context().Err() != nil {
		return
	}
	i.c.w.WriteHeader(http.StatusProcessing)
	i.sent = true
	i.timer.Reset(i.c.g.o.Interim)
}

func (i *interim) stop() {
	i.timer.Stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	if i.sent && i.c.left() && time.Since(i.began) > i.c.g.o.Hold {
		i.c.node.mu.Lock()
		i.c.node.shortUntil = i.c.g.o.Clock().Add(shortFor)
		i.c.node.mu.Unlock()
	}
}

// left reports whether the client ended the call itself.
func (c *call) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.Context().Err() != nil && c.cause == nil
}
