//go:build unix

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// replaceProgram puts a new program in the place of another, in one step; programs that run are not disturbed. The earlier one gets the
// name old.
func replaceProgram(path, with, old string) error {
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the program before the last one: %w", err)
	}
	if err := os.Link(path, old); err != nil {
		return fmt.Errorf("keeping the earlier program: %w", err)
	}
	if err := os.Rename(with, path); err != nil {
		return fmt.Errorf("replacing the program: %w", err)
	}
	return nil
}
