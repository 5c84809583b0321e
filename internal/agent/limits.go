package agent

import (
	"context"
	"time"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
)

// AppLimits are what a ClientApp may use of this machine, as its owner says. Zero: as much as it wants.
type AppLimits struct {
	Memory int64         // bytes, of all its processes together
	Time   time.Duration // from its start, for one message
	Disk   int64         // bytes, of the folders of its app version together; needs the sandbox
}

// Kinds of failures that are no exceptions.
const (
	overMemory = "MemoryLimit"
	overTime   = "TimeLimit"
	overDisk   = "DiskLimit"
	notStarted = "NotStarted"

	noReply         = "NoReply"         // it ended itself with exit code 0
	returnedNothing = "ReturnedNothing" // its function returned None
)

// How often a ClientApp is measured: a program can take gigabytes of memory in a second. Counting many files takes time, of which the
// pauses take diskShare times as much; most messages end before the first count.
const (
	limitLook = 250 * time.Millisecond
	diskLook  = time.Second
	diskShare = 20
)

// hold waits for a ClientApp's end and ends it when ctx ends or when it passes a limit. It returns which one it passed, if any.
func (l AppLimits) hold(ctx context.Context, child *keeper.Child, room *apphost.Room) (passed string) {
	var count <-chan time.Time
	var pause *time.Timer
	if l.Disk > 0 && room != nil {
		pause = time.NewTimer(diskLook)
		defer pause.Stop()
		count = pause.C
	}
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
		case <-count:
			began := time.Now()
			taken := child.Unlinked(room.Path(apphost.WorkDir))
			if taken += room.Size(l.Disk - taken); taken > l.Disk {
				passed = overDisk
			}
			pause.Reset(max(diskLook, diskShare*time.Since(began)))
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
