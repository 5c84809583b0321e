package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// refusal is an answer of the gateway's own, in the form of Flower's errors. Its detail is for people: a SuperNode logs it.
type refusal struct {
	status int
	code   int // Flower's number; 0 gives none
	detail string
	retry  int // seconds, for Retry-After, which is up to twice as much
	err    error
}

// Error returns the detail and its cause, for logs.
func (r *refusal) Error() string {
	if r.err != nil {
		return fmt.Sprintf("%s (%v)", r.detail, r.err)
	}
	return r.detail
}

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.err }

func (r *refusal) because(err error) *refusal {
	r.err = err
	return r
}

// authFailed is Flower's number for a failed authentication.
const authFailed = 1008

// refused is a 401: a SuperNode that gets one ends itself.
func refused(detail string, err error) *refusal {
	return &refusal{status: http.StatusUnauthorized, code: authFailed, detail: detail, err: err}
}

// again is a 503: a SuperNode tries again for ever.
func again(detail string, seconds int) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, detail: detail, retry: seconds}
}

var errRevoked = refused("Access to this federation has ended: the key was revoked.", nil)

var errUsed = again("This signature was used before. Sign each request separately.", 1)

// errSuspended is a 503: the SuperNode waits, and goes on by itself when the key is resumed.
var errSuspended = again("This key is suspended by a manager.", 10)

func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return http.StatusServiceUnavailable
}

// refuse answers with a refusal. The connection is closed unless the body was read, as the rest of it is not wanted.
func (c *call) refuse(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = again("The request could not be forwarded.", 5).because(err)
	}
	if r.status != http.StatusServiceUnavailable || r.err != nil {
		// The headers are never logged: they are the identity for 300 s.
		c.g.o.Log.Debug("fleet request refused", "path", c.meth.path, "status", r.status, "federation", c.key.FederationID, "partition",
			c.key.Partition, "why", r.Error())
	}
	h := c.w.Header()
	if r.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(r.retry+rand.IntN(r.retry+1))) // not all at once
	}
	if c.body == nil || c.body.left > 0 {
		h.Set("Connection", "close")
	}
	writeRefusal(c.w, r)
}

// panicked answers a call whose handler has panicked. What is left of its body is not wanted.
func panicked(w http.ResponseWriter, _ *http.Request, id string) {
	w.Header().Set("Connection", "close")
	writeRefusal(w, &refusal{status: http.StatusInternalServerError,
		detail: "The gateway failed; the server's log says more about request " + id + "."})
}

func writeRefusal(w http.ResponseWriter, r *refusal) {
	answer := map[string]any{"detail": r.detail}
	if r.code != 0 {
		answer["code"] = r.code
	}
	text, err := json.Marshal(answer)
	if err != nil {
		text = []byte(`{"detail":"Refused."}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(r.status)
	_, _ = w.Write(text)
}
