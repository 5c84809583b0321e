// Package safely keeps a panic in one background job from ending the server: it is logged with its stack, and the rest goes on.
package safely

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Do runs do and returns its error; a panic is logged and returned as one.
func Do(log *slog.Logger, job string, do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("a background job panicked", "job", job, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: panic: %v", job, v)
		}
	}()
	return do()
}

// Go is [Do] for jobs without an error. It does not start a goroutine: use it as the body of one.
func Go(log *slog.Logger, job string, do func()) {
	_ = Do(log, job, func() error { do(); return nil })
}

// retryAfter is how long a job that panicked waits before it is started again.
const retryAfter = 5 * time.Second

// Keep runs a job that lasts as long as the server, and starts it again after a panic until it returns or ctx ends.
func Keep(ctx context.Context, log *slog.Logger, job string, do func()) {
	for {
		if Do(log, job, func() error { do(); return nil }) == nil {
			return
		}
		wait := time.NewTimer(retryAfter)
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}
