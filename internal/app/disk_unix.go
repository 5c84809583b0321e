//go:build unix

package app

import "syscall"

// diskSpace is how much of the disk of a directory is free for us, and how large it is; 0 where that cannot be told.
func diskSpace(dir string) (free, total int64) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, 0
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize)
}
