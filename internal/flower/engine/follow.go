package engine

import (
	"context"
	"errors"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/launcher"
)

// errAgain ends the following of a keeper that may have to be replaced: it has nothing to do any more, or another engine was chosen.
var errAgain = errors.New("the keeper is looked at again")

// follow follows the keeper until it or ctx ends, or until it may have to be replaced.
func (e *managed) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-e.recheck:
			cancel(errAgain)
		case <-ctx.Done():
		}
	}()
	err := e.link.follow(ctx, func(st Status) {
		e.told(st)
		if st.leaving(e.engine()) && !st.busy() {
			cancel(errAgain)
		}
	})
	if errors.Is(context.Cause(ctx), errAgain) {
		return errAgain
	}
	return err
}

// told takes over what the keeper says.
func (e *managed) told(st Status) {
	if st.SuperLink.Leaving = st.leaving(e.engine()); st.SuperLink.Leaving && (st.SuperLink.Reason == "" ||
		st.SuperLink.State == domain.SuperLinkUp) {
		st.SuperLink.Reason = leaveWords
	}
	e.mu.Lock()
	before := e.st
	e.st = st
	e.mu.Unlock()
	if st.Pushes != before.Pushes {
		e.m.o.Pushed(e.fedID)
	}
	if st.Stored != before.Stored {
		e.m.o.Stored(e.fedID)
	}
	if st.SuperLink != before.SuperLink || !slices.EqualFunc(st.Tasks, before.Tasks, launcher.Task.Equal) {
		e.m.o.Changed(e.fedID)
	}
}
