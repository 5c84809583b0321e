//go:build (linux || darwin) && !participant

package doctor

import "syscall"

// Free disk space, in bytes, below which doctor reports a problem.
const (
	leastFree = 100 << 20 // failure: nothing can be launched
	fewFree   = 5 << 30   // warning
)

// diskFinding reports the free space on a directory's disk.
func diskFinding(dir string) Finding {
	const part = "disk"
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Bad(part, "Check the disk.", "The free disk space cannot be read: %v.", err)
	}
	switch free := uint64(s.Bavail) * uint64(s.Bsize); { //nolint:unconvert // the types differ between systems
	case free < leastFree:
		return Bad(part, "Free some space. Runs cannot be launched.", "%d MB are free.", free>>20)
	case free < fewFree:
		return Warn(part, "Free some space soon. Runs write models and logs.", "%d MB are free.", free>>20)
	default:
		return Good(part, "%d GB are free.", free>>30)
	}
}
