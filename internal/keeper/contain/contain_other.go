//go:build !linux

package contain

import "runtime"

// Check reports that nothing is in force: containment is for Linux.
func Check() Report {
	return Report{System: runtime.GOOS, Reason: "Containment needs Linux."}
}
