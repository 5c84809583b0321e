//go:build linux || darwin

package doctor

import "syscall"

// How much of the disk should be free, in bytes.
const (
	leastFree = 100 << 20 // for a launch
	fewFree   = 5 << 30
)

// diskFinding says how much of a directory's disk is free.
func diskFinding(dir string) Finding {
	const part = "disk"
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Bad(part, "Check the disk.", "Its free space cannot be read: %v.", err)
	}
	switch free := uint64(s.Bavail) * uint64(s.Bsize); { //nolint:unconvert,gosec // the types differ between systems
	case free < leastFree:
		return Bad(part, "Free some space: nothing can be launched.", "%d MB are free.", free>>20)
	case free < fewFree:
		return Warn(part, "Free some space soon: runs write models and logs.", "%d MB are free.", free>>20)
	default:
		return Good(part, "%d GB are free.", free>>30)
	}
}
