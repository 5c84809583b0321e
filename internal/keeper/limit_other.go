//go:build !linux

package keeper

// AllowedCPUs lists the CPUs that this process may run on; nil where that cannot be known.
func AllowedCPUs() []int { return nil }

func onCPUs(_ []int, start func() error) error { return start() }

// Unlinked returns 0: it cannot be known here.
func (*Child) Unlinked(string) int64 { return 0 }
