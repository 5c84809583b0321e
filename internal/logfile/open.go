package logfile

import (
	"errors"
	"os"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

// OpenToRead opens a log for reading, without waiting: what stands in its place, a FIFO for one, is a [domain.Conflict] error. A log that
// is
// not there is [os.ErrNotExist].
func OpenToRead(path string) (*os.File, error) {
	f, err := openfile.Regular(path)
	if errors.Is(err, openfile.ErrNotRegular) {
		return nil, domain.Errorf(domain.Conflict, "The log cannot be read: something else is in its place.").
			Fix("Remove it from the run's directory on the server.").Because(err)
	}
	return f, err
}
