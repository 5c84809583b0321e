//go:build !unix

package apphost

import "io/fs"

// inode names the file behind a name; here size and time have to do.
func inode(fs.FileInfo) string { return "" }

func diskSize(info fs.FileInfo) int64 { return info.Size() }
