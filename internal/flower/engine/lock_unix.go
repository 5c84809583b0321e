//go:build unix

package engine

import (
	"errors"
	"fmt"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
)

// lockKeeper takes the directory for this process; the kernel gives it free when the process ends, however it ends.
func lockKeeper(path string) (*filelock.Lock, error) {
	l, err := filelock.Take(path)
	if errors.Is(err, filelock.ErrHeld) {
		return nil, domain.Errorf(domain.Conflict, "Another keeper (%s) runs this federation already.", filelock.Owner(path))
	}
	if err != nil {
		return nil, fmt.Errorf("locking the keeper's directory: %w", err)
	}
	return l, nil
}
