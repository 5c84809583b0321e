package agent

import (
	"context"
	"os"
)

// Replaced is the error with which [Join] ends after an update has replaced the running program. The caller runs the new one.
type Replaced struct {
	Program string
	Args    []string // for Program, without its name: they run the same SuperNode
}

// Error implements error.
func (r *Replaced) Error() string { return "The program was updated. Start it again." }

// replaced reports whether another program is in the place of the running one. A program that does not start or has the same version
// does not count. Each file is asked for its version once.
func (n *node) replaced(ctx context.Context) bool {
	if n.j.program == nil {
		return false
	}
	now, err := os.Stat(n.j.o.Program)
	if err != nil || sameProgram(now, n.j.program) || sameProgram(now, n.tried) {
		return false
	}
	n.tried = now
	version := ProgramVersion(ctx, n.j.o.Program)
	return version != "" && version != n.j.o.Version
}

// retires decides whether this program makes way for an updated one. Apps keep state between rounds in the SuperNode's memory, so it
// stays until the server says that the federation has no run.
func (n *node) retires(ctx context.Context) bool {
	n.retired = !n.busy && n.status.idle() && n.replaced(ctx)
	return n.retired
}

// sameProgram also compares times: a file system gives the number of a removed file to the next one.
func sameProgram(a, b os.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
