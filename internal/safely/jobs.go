package safely

import (
	"context"
	"log/slog"
	"sync"
)

// Jobs are the background jobs of one server, which end together.
type Jobs struct {
	ctx context.Context
	end context.CancelFunc
	log *slog.Logger
	wg  sync.WaitGroup
}

// NewJobs returns an empty group. Its jobs' context has the values of ctx and ends with [Jobs.End] only.
func NewJobs(ctx context.Context, log *slog.Logger) *Jobs {
	j := &Jobs{log: log}
	j.ctx, j.end = context.WithCancel(context.WithoutCancel(ctx))
	return j
}

// Context ends with [Jobs.End].
func (j *Jobs) Context() context.Context { return j.ctx }

// Go runs a short job in the background. A panic ends that job alone.
func (j *Jobs) Go(do func(context.Context)) {
	j.wg.Go(func() { Go(j.log, "background", func() { do(j.ctx) }) })
}

// Keep runs a job that lasts until [Jobs.End]. It is started again after a panic.
func (j *Jobs) Keep(name string, do func(context.Context)) {
	j.wg.Go(func() { Keep(j.ctx, j.log, name, func() { do(j.ctx) }) })
}

// End ends the jobs' context. It may be called more than once.
func (j *Jobs) End() { j.end() }

// Wait returns when all jobs have ended.
func (j *Jobs) Wait() { j.wg.Wait() }
