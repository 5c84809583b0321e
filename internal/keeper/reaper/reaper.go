// Package reaper is the process between a keeper and each program that it starts on Linux. Such a process is the program's subreaper
// (PR_SET_CHILD_SUBREAPER): whatever descends from the program and loses its parent becomes the reaper's own child, also after a double
// fork into a session of its own with an empty environment. So when the program has ended, the reaper can end all that it left, and
// nothing else.
//
// The reaper is our own binary, started again. This package handles that in its initialization, before packages that take longer, so
// that every program and every test binary that uses a keeper can be a reaper.
package reaper

// Name is the reaper's argv[0], by which the binary knows what it is started for.
const Name = "blossomtune-reaper"

// Socket is the reaper's file to the keeper: a stream of JSON values, a [Spec] and then [Order]s to the reaper, [Report]s from it.
// Its end of file means that the keeper has ended. The files from Socket+1 on become the program's from 3 on; its standard output and
// error are the reaper's.
const Socket = 3

// Spec is the program to start. It leads a process group of its own.
type Spec struct {
	Path  string   `json:"path"`
	Args  []string `json:"args"` // with the program's name
	Dir   string   `json:"dir"`
	Env   []string `json:"env"`   // all of it
	Files int      `json:"files"` // how many further files it gets
	Bound bool     `json:"bound"` // the keeper's end is the program's end
}

// Order is what a reaper is told to do.
type Order string

// Orders.
const (
	Terminate Order = "terminate" // SIGTERM to the program's group, while the program runs
	Kill      Order = "kill"      // SIGKILL to the program and all its descendants
)

// Report is what a reaper reports: once PID or Errno, then Status. It exits when no descendant of the program is left.
type Report struct {
	PID    int  `json:"pid,omitempty"`
	Errno  int  `json:"errno,omitempty"`  // why the program could not be started
	Status *int `json:"status,omitempty"` // the program's, as wait reports it
}
