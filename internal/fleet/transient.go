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

// transient reports whether the answer is a 500 that the SuperNode should get as a 503. It drains such an answer.
func (c *call) transient(res *http.Response, now time.Time) bool {
	n := c.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if res.StatusCode != http.StatusInternalServerError {
		delete(n.failing, c.meth.path)
		return false
	}
	if c.meth.repeat == repeatNever {
		return false
	}
	since, before := n.failing[c.meth.path]
	if !before {
		if n.failing == nil {
			n.failing = map[string]time.Time{}
		}
		since = now
		n.failing[c.meth.path] = now
	}
	if c.meth.repeat == repeatAWhile && now.Sub(since) > repeatFor {
		delete(n.failing, c.meth.path) // the next message has its own time
		return false
	}
	drain(res)
	return true
}

// drain reads a short answer to its end, so that the connection can be used again, and closes it.
func drain(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, small)
	_ = res.Body.Close()
}
