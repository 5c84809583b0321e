//go:build !unix

package flowerlink

import "os"

// terminate ends a process: here it cannot be asked to.
func terminate(p *os.Process) { _ = p.Kill() }
