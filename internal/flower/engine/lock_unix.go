//go:build unix

package engine

import (
	"errors"
	"fmt"
	"os"

	"blossomtune/internal/domain"

	"golang.org/x/sys/unix"
)

// lockKeeper takes the directory for this process; the kernel gives it free when the process ends, however it ends.
func lockKeeper(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the keeper's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, domain.Errorf(domain.Conflict, "Another keeper runs this federation already.")
		}
		return nil, fmt.Errorf("locking the keeper's directory: %w", err)
	}
	return f, nil
}
