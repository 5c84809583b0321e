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
	calls map[string]failure
}

// failure is when a call began to fail, and when it failed last.
type failure struct{ since, last time.Time }

// forgotten is after how long without another failure a call counts as well again.
const forgotten = time.Minute

// transient returns the answer that the ServerApp gets in place of res.
func (f *failing) transient(res *http.Response, call string, now time.Time) *http.Response {
	if !f.note(path.Base(call), res.StatusCode, now) {
		return res
	}
	_, _ = io.CopyN(io.Discard, res.Body, drained)
	_ = res.Body.Close()
	return notAvailable()
}

// note keeps how a call went, and reports whether it failed in a way that may pass.
func (f *failing) note(name string, status int, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if status != http.StatusInternalServerError {
		delete(f.calls, name)
		return false
	}
	if f.calls == nil {
		f.calls = map[string]failure{}
	}
	seen, before := f.calls[name]
	if !before || now.Sub(seen.last) > forgotten {
		seen.since = now
	}
	seen.last = now
	f.calls[name] = seen
	return now.Sub(seen.since) <= transientFor
}
