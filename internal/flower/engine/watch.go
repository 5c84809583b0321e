package engine

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
)

const (
	defaultSilence = 30 * time.Second
	silentTicks    = 30 // the parts into which the allowed silence is divided
	unreachable    = 10 // the parts after which it is reported as unreachable
	noteLife       = 10 * time.Minute
)

// watch is the watchdog of one SuperLink process. It sets the SuperLink's state from the answers of the SuperLink's own health check,
// and kills the process when it does not come up or leaves the check unanswered for the allowed silence.
type watch struct {
	s     *flowerLink
	child *keeper.Child

	upAt   time.Time
	silent int    // ticks since the last answer
	last   error  // of the last check
	fault  string // why the process was killed; empty: it was not
	note   string // the same for people, of one that was up
}

func newWatch(s *flowerLink, child *keeper.Child) *watch { return &watch{s: s, child: child} }

// run returns when the process has ended or ctx is done.
//
// Silence is counted in ticks, not in time: when the whole machine or this process was suspended, none has passed.
func (w *watch) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error)
	go w.ask(ctx, answers)
	started := w.s.clock()
	tick := time.NewTicker(w.s.silence / silentTicks)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.child.Done():
			return
		case w.last = <-answers:
			if w.last == nil && w.fault == "" {
				w.answered(started)
			}
		case <-tick.C:
			w.unanswered(started)
		}
	}
}

// ask checks the SuperLink's health again and again. A check may take as long as the silence that is allowed: the SuperLink's one worker
// can be busy for many seconds.
func (w *watch) ask(ctx context.Context, answers chan<- error) {
	wait := healthEvery
	for {
		checkCtx, cancel := context.WithTimeout(ctx, w.s.silence)
		err := w.s.Client().Healthy(checkCtx)
		cancel()
		select {
		case answers <- err:
		case <-ctx.Done():
			return
		}
		if err == nil {
			wait = min(healthLook, w.s.silence/unreachable)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (w *watch) answered(started time.Time) {
	w.silent = 0
	if w.upAt.IsZero() {
		w.upAt = w.s.clock()
		w.s.log.Info("the SuperLink is up", "after", w.upAt.Sub(started))
	}
	w.s.set(func(l *domain.SuperLink) {
		if w.s.clock().Sub(w.upAt) > noteLife {
			w.s.note = ""
		}
		l.State, l.Reason, l.PID, l.Address = domain.SuperLinkUp, w.s.note, w.child.Identity().PID, w.s.addr
	})
}

func (w *watch) unanswered(started time.Time) {
	w.silent++
	switch {
	case w.fault != "":
	case w.upAt.IsZero():
		if w.s.clock().Sub(started) > startLimit {
			w.kill(fmt.Sprintf("no answer of its health check within %s", startLimit))
		}
	case w.silent >= silentTicks:
		w.note = fmt.Sprintf("It did not answer its health check for %s, so it was restarted.", domain.Span(w.s.silence))
		w.kill(fmt.Sprintf("killed because it did not answer its health check for %s", domain.Span(w.s.silence)))
	case w.silent >= unreachable:
		w.s.set(func(l *domain.SuperLink) {
			l.State, l.Reason = domain.SuperLinkUnreachable, "It runs, but its health check does not answer"
			if w.last != nil {
				l.Reason += ": " + w.last.Error()
			}
			l.Reason += fmt.Sprintf(". It is restarted when it has not answered for %s.", domain.Span(w.s.silence))
		})
	}
}

func (w *watch) kill(fault string) {
	w.fault = fault
	w.s.log.Warn("killing the SuperLink", "cause", fault)
	go w.child.Stop(0)
}
