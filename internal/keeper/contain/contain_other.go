//go:build !linux

package contain

import (
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strings"
)

// Check reports that nothing is in force: containment is for Linux.
func Check() Report {
	return Report{System: runtime.GOOS, Reason: "Containment needs Linux."}
}

// Command changes nothing: containment is for Linux.
func Command(*exec.Cmd, Policy) (io.Closer, error) { return io.NopCloser(strings.NewReader("")), nil }

// CanLend always returns an error: containment is for Linux.
func CanLend(int, ...string) error {
	return errors.New("Containment needs Linux.") //nolint:staticcheck // a sentence for people
}

// CanRunAs always returns an error: containment is for Linux.
func CanRunAs(int, ...string) error {
	return errors.New("Containment needs Linux.") //nolint:staticcheck // a sentence for people
}
