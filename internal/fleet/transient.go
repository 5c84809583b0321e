package fleet

import (
	"io"
	"net/http"
	"time"
)

// The SuperLink answers 500 when its database was locked for five seconds, and for any other unexpected error; Flower's deliberate
// refusals on the Fleet API have other statuses (flwr 1.42, supercore/error/catalog.py). A stock SuperNode that gets a 500 exits, or
// loses its reply. It retries a 503, so a 500 becomes one wherever the call may be repeated.

// repeat says for how long a SuperLink's 500 is answered with 503.
type repeat int

const (
	repeatNever  repeat = iota // the 500 is passed on
	repeatAlways               // a SuperNode that got the 500 would exit
	repeatAWhile               // for repeatFor; a SuperNode that then gets the 500 drops one message and takes the next
)

// repeatFor bounds the retries of a call that fails every time, such as a reply that the SuperLink cannot read.
const repeatFor = 5 * time.Minute

// errTransient replaces a 500 of the SuperLink.
var errTransient = again("The SuperLink failed to process this request.", 2)

// forgotten is after how long without another failure a call counts as well again.
const forgotten = time.Minute

// failure is when a call began to fail, and when it failed last.
type failure struct{ since, last time.Time }

// transient reports whether the answer is a 500 that the SuperNode should get as a 503. It drains such an answer.
func (c *call) transient(res *http.Response, now time.Time) bool {
	if !c.node.failed(c.meth, res.StatusCode, now) {
		return false
	}
	drain(res)
	return true
}

// failed keeps how a call went, and reports whether it failed in a way that may pass.
func (n *node) failed(meth method, status int, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if status != http.StatusInternalServerError {
		delete(n.failing, meth.path)
		return false
	}
	if meth.repeat == repeatNever {
		return false
	}
	if n.failing == nil {
		n.failing = map[string]failure{}
	}
	seen, before := n.failing[meth.path]
	if !before || now.Sub(seen.last) > forgotten {
		seen.since = now
	}
	seen.last = now
	n.failing[meth.path] = seen
	if meth.repeat == repeatAWhile && now.Sub(seen.since) > repeatFor {
		delete(n.failing, meth.path) // the next message has its own time
		return false
	}
	return true
}

// drain reads a short answer to its end, so that the connection can be used again, and closes it.
func drain(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, small)
	_ = res.Body.Close()
}
