package sysinfo

import "blossomtune/internal/domain"

// leastFree is how much of the data directory's disk must be free for a launch, in bytes.
const leastFree = 100 << 20

// Space returns nil where the disk of a directory has room for a run, or where that is not known, else a [domain.Unavailable] error.
func Space(dir string) error { return checkSpace(diskSpace(dir)) }

func checkSpace(free, total int64) error {
	if total == 0 || free >= leastFree {
		return nil
	}
	return domain.Errorf(domain.Unavailable, "The server's disk is full: %d MB are free.",
		free>>20).Fix("Free some space first: a run needs at least %d MB, and what it writes.", leastFree>>20)
}

// Disk returns how much of the disk of a directory is free, and how large it is, in bytes; 0 where that is not known.
func Disk(dir string) (free, total int64) { return diskSpace(dir) }
