package runtimeproxy

import (
	"io"
	"net/http"
	"path"
	"sync"
	"time"
)

// The SuperLink answers 500 when its database was locked for five seconds, as while a large object is written (flwr 1.42). Such a call
// has changed nothing. A ServerApp that gets a 500 ends, and one that gets a 503 repeats the call, so a 500 becomes a 503 for a while.
// A call that fails for longer fails for another reason, and its 500 is passed on.
const transientFor = 2 * time.Minute

const drained = 64 << 10 // read of an answer that is not passed on, so that its connection can be used again

// failing notes since when each call has failed. It is safe for concurrent use.
type failing struct {
	mu    sync.Mutex
	since map[string]time.Time
}

// transient returns the answer that the ServerApp gets in place of res.
func (f *failing) transient(res *http.Response, call string, now time.Time) *http.Response {
	name := path.Base(call)
	f.mu.Lock()
	defer f.mu.Unlock()
	if res.StatusCode != http.StatusInternalServerError {
		delete(f.since, name)
		return res
	}
	since, before := f.since[name]
	if !before {
		if f.since == nil {
			f.since = map[string]time.Time{}
		}
		since, f.since[name] = now, now
	}
	if now.Sub(since) > transientFor {
		return res
	}
	_, _ = io.CopyN(io.Discard, res.Body, drained)
	_ = res.Body.Close()
	return made(http.StatusServiceUnavailable)
}
