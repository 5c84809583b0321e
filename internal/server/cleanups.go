package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// cleanups end the parts of a server, the last one first.
type cleanups struct {
	log  *slog.Logger
	all  []cleanup
	once sync.Once
}

// cleanup ends one part. It should return when its context ends.
type cleanup struct {
	name  string
	share float64 // of the time that is left when it starts
	do    func(context.Context) error
}

const (
	usualShare = 0.9                    // the rest is for the clean-ups after a hanging one
	httpShare  = 0.5                    // requests may last: half of the time is for the jobs
	leastLimit = 100 * time.Millisecond // of each clean-up, also when no time is left
	lateness   = 100 * time.Millisecond // how long a clean-up may take to heed the end of its context
)

// add adds a clean-up that runs before all earlier ones.
func (c *cleanups) add(name string, do func(context.Context) error) { c.addWith(name, usualShare, do) }

func (c *cleanups) addWith(name string, share float64, do func(context.Context) error) {
	c.all = append(c.all, cleanup{name, share, do})
}

// run runs all clean-ups within ctx, each with its share of the time that is left, and joins their errors. A second call waits for the
// first and does nothing.
func (c *cleanups) run(ctx context.Context) (err error) {
	c.once.Do(func() {
		for i := len(c.all) - 1; i >= 0; i-- {
			err = errors.Join(err, c.end(ctx, c.all[i]))
		}
	})
	return err
}

func (c *cleanups) end(ctx context.Context, part cleanup) error {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), part.limit(ctx))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("ending %s: panic: %v", part.name, v)
			}
		}()
		done <- part.do(short)
	}()
	select {
	case err := <-done:
		return err
	case <-short.Done():
	}
	late := time.NewTimer(lateness)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		c.log.Warn("stopping without waiting any longer", "part", part.name)
		return nil
	}
}

func (p cleanup) limit(ctx context.Context) time.Duration {
	left := leastLimit
	if deadline, bounded := ctx.Deadline(); bounded && ctx.Err() == nil {
		left = time.Duration(p.share * float64(time.Until(deadline)))
	} else if !bounded {
		left = time.Minute
	}
	return max(left, leastLimit)
}
