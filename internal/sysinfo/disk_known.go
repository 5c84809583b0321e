//go:build linux || darwin

package sysinfo

import "syscall"

// diskSpace is how much of the disk of a directory is free for us, and how large it is; 0 where that cannot be told.
func diskSpace(dir string) (free, total int64) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, 0
	}
	block := uint64(s.Bsize)
	return int64(s.Bavail * block), int64(s.Blocks * block)
}
