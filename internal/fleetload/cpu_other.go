//go:build !unix

package fleetload

import "time"

// cpuTime returns 0: it is not measured here.
func cpuTime() time.Duration { return 0 }
