package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"blossomtune/internal/domain"
)

// replaceProgram puts a new program in the place of another. Windows does not let a program that runs be overwritten, but lets it be
// renamed. So it gets the name old, and runs on under it.
func replaceProgram(path, with, old string) error {
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return domain.Errorf(domain.Conflict, "The program before the last one still runs.").
			Fix("Nothing was changed. Stop blossomtune join, start it again, then update.").Because(err)
	}
	if err := os.Rename(path, old); err != nil {
		return fmt.Errorf("keeping the earlier program: %w", err)
	}
	if err := os.Rename(with, path); err != nil {
		return errors.Join(fmt.Errorf("replacing the program: %w", err), os.Rename(old, path))
	}
	return nil
}
