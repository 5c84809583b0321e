package agent

import (
	"context"
	"time"

	"blossomtune/internal/keeper"
)

// AppLimits are what a ClientApp may use of this machine, as its owner says. Zero: as much as it wants.
type AppLimits struct {
	Memory int64         // bytes, of all its processes together
	Time   time.Duration // from its start, for one message
}

// Kinds of failures that are no exceptions.
const (
	overMemory = "MemoryLimit"
	overTime   = "TimeLimit"
	notStarted = "NotStarted"

	noReply         = "NoReply"         // it ended itself with exit code 0
	returnedNothing = "ReturnedNothing" // its function returned None
)

// limitLook is how often a ClientApp's memory is looked at.
const limitLook = time.Second

// hold waits for a ClientApp's end and ends it when ctx ends or when it passes a limit. It returns which one it passed, if any.
func (l AppLimits) hold(ctx context.Context, child *keeper.Child) (passed string) {
	var late <-chan time.Time
	if l.Time > 0 {
		timer := time.NewTimer(l.Time)
		defer timer.Stop()
		late = timer.C
	}
	var look <-chan time.Time
	if l.Memory > 0 {
		tick := time.NewTicker(limitLook)
		defer tick.Stop()
		look = tick.C
	}
	for {
		select {
		case <-child.Done():
			return ""
		case <-late:
			passed = overTime
		case <-look:
			if held, known := child.Memory(); known && held > l.Memory {
				passed = overMemory
			}
		case <-ctx.Done():
			child.Stop(stopGrace)
			return ""
		}
		if passed != "" {
			child.Stop(stopGrace)
			return passed
		}
	}
}
