package engine

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
)

// lockKeeper refuses: the server's engine runs on Linux and macOS, Windows is for participants.
func lockKeeper(string) (*filelock.Lock, error) {
	return nil, domain.Errorf(domain.Unavailable, "A SuperLink cannot be run on Windows.").Fix("Run the server on Linux or macOS.")
}
