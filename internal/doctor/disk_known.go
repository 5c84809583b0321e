//go:build (linux || darwin) && !participant

package doctor

import "syscall"

// freeSpace returns the free space on a directory's disk, in bytes.
func freeSpace(dir string) (bytes uint64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true, nil //nolint:unconvert // the types differ between systems
}
