package fleetload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"blossomtune/internal/flower/wire"

	"google.golang.org/protobuf/proto"
)

const maxRetryDelay = 20 * time.Second

// caller makes the calls of one SuperNode or ServerApp.
type caller struct {
	pool    *pool
	prefix  string // "/v1/fleet/" or "/v1/runtime/"
	host    string
	part    string // flwr's name of the component
	sign    func(b []byte) ([]byte, error)
	patient bool
	stats   *stats

	answered atomic.Int64 // when a call last succeeded, in Unix nanoseconds

	mu     sync.Mutex
	random *rand.Rand
}

// statusError is an answer other than 200.
type statusError struct {
	status     int
	retryAfter time.Duration
	text       string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %.300s", e.status, e.text) }

var (
	errRunOver = errors.New("the run is not running") // flwr's RunNotRunningException
	errRevoked = errors.New("the server refused the key")
)

// between returns a random duration in a range.
func (c *caller) between(low, high time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return low + time.Duration(c.random.Float64()*float64(high-low))
}

// once makes a call and notes how it ended.
func (c *caller) once(ctx context.Context, name string, body []byte, out proto.Message, limit time.Duration) error {
	c.stats.call(name)
	err := c.try(ctx, name, body, out, limit)
	if err != nil && ctx.Err() == nil {
		c.stats.fail(name, kindOf(err))
	}
	if err == nil {
		c.answered.Store(time.Now().UnixNano())
	}
	return err
}

func (c *caller) try(ctx context.Context, name string, body []byte, out proto.Message, limit time.Duration) error {
	head := appendHead(make([]byte, 0, 1024+min(len(body), 16<<10)), c.prefix+name, c.host, len(body))
	head = appendHeader(head, wire.HeaderPackageName, "flwr")
	head = appendHeader(head, wire.HeaderPackageVersion, flwrVersion)
	head = appendHeader(head, wire.HeaderComponentName, c.part)
	head, err := c.sign(head)
	if err != nil {
		return err
	}
	a, err := c.pool.roundTrip(ctx, append(head, "\r\n"...), body, limit)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		seconds, _ := strconv.Atoi(a.retryAfter) // 0 where it is missing or a date
		return &statusError{status: a.status, retryAfter: time.Duration(min(max(seconds, 0), 3600)) * time.Second, text: string(a.body)}
	}
	return proto.Unmarshal(a.body, out)
}

// kindOf names a failure for the report.
func kindOf(err error) string {
	var status *statusError
	var timeout net.Error
	switch {
	case errors.As(err, &status):
		return strconv.Itoa(status.status)
	case errors.Is(err, errHandshake):
		return "handshake"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return "broken"
}

// retryable reports whether flwr repeats a call that failed so. It gives up on TLS errors and on statuses such as 500.
func (c *caller) retryable(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		switch status.status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		case http.StatusInternalServerError, http.StatusTooManyRequests:
			return c.patient
		}
		return false
	}
	return c.patient || !errors.Is(err, errHandshake)
}

// persist makes a call until it is answered, as flwr's retry invoker does: after one, two, four and up to twenty seconds at most, of which
// a random part is waited. Calls that flwr does not repeat end with their error.
func (c *caller) persist(ctx context.Context, name string, in, out proto.Message) error {
	body, err := proto.Marshal(in)
	if err != nil {
		return err
	}
	for most := time.Second; ; most = min(2*most, maxRetryDelay) {
		err := c.once(ctx, name, body, out, callTimeout)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var status *statusError
		if errors.As(err, &status) {
			switch status.status {
			case http.StatusForbidden:
				return fmt.Errorf("%s: %w", name, errRunOver)
			case http.StatusUnauthorized:
				return fmt.Errorf("%s: %w", name, errRevoked)
			}
		}
		if !c.retryable(err) {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.stats.retries.Add(1)
		pause := c.between(0, most)
		if c.patient && status != nil {
			pause += status.retryAfter
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// sleep waits; it reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
