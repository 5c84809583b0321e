package filelock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// offsetHigh puts the locked byte far beyond the file's text, which others must be able to read.
const offsetHigh = 1

func lock(f *os.File) error {
	at := windows.Overlapped{OffsetHigh: offsetHigh}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrHeld
	}
	if err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	return nil
}

// DirID is empty on Windows, where no keeper runs.
func DirID(string) string { return "" }
