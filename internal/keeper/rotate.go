package keeper

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Rotation caps a log that a process writes itself, such as a keeper's own: when it is larger than Max bytes it is copied to
// FILE.1 (older ones move up to FILE.<Keep>) and cut to nothing, so that the process's open file stays good. What is written
// between the copy's end and the cut is lost.
type Rotation struct {
	Max  int64
	Keep int // old files; 0 keeps none
}

// Rotate rotates the log if it is larger than Max.
func (r Rotation) Rotate(path string) error {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() <= r.Max {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	if r.Keep > 0 {
		for i := r.Keep - 1; i >= 1; i-- {
			if err := os.Rename(numbered(path, i), numbered(path, i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("moving an old log: %w", err)
			}
		}
		if err := copyFile(path, numbered(path, 1)); err != nil {
			return fmt.Errorf("copying %s: %w", path, err)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("cutting %s: %w", path, err)
	}
	return nil
}

func numbered(path string, i int) string { return fmt.Sprintf("%s.%d", path, i) }

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
