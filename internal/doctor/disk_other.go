//go:build !linux && !darwin && !participant

package doctor

// freeSpace is not known: free disk space is checked on Linux and macOS only.
func freeSpace(string) (bytes uint64, known bool, err error) { return 0, false, nil }
