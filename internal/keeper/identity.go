package keeper

import "strconv"

// Identity is a process: its id and the time it started, as the kernel tells it. A later process with the same id has
// another start, so nothing is ever signalled by mistake.
type Identity struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // in the kernel's own units, only to be compared
}

// Of returns the identity of the process with this id; ok is false when there is none.
func Of(pid int) (id Identity, ok bool) {
	start, ok := startOf(pid)
	return Identity{PID: pid, Start: start}, ok
}

// Alive reports whether this very process still runs. One that has ended but was not yet waited for does not run.
func (id Identity) Alive() bool {
	if id.PID <= 0 || id.Start == "" {
		return false
	}
	start, ok := startOf(id.PID)
	return ok && start == id.Start
}

// String returns the identity for logs.
func (id Identity) String() string { return strconv.Itoa(id.PID) }
