package backup

import (
	"errors"
	"io/fs"

	"blossomtune/internal/domain"
)

// damaged is the error about a backup that is not as it was written.
func damaged(where string, cause error) error {
	return damage{domain.Errorf(domain.Invalid, "The backup is damaged %s.",
		where).Fix("Use another backup or another copy of this one.").Because(cause)}
}

// damage marks an error about the bytes of a backup, so that it is told from one of reading or of unpacking them.
type damage struct{ known *domain.Error }

func (d damage) Error() string { return d.known.Error() }

func (d damage) Unwrap() error { return d.known }

// isDamage reports whether the bytes of a backup are other ones than those that were written; false where they could not be read.
func isDamage(err error) bool {
	var d damage
	var unread *fs.PathError
	return errors.As(err, &d) && !errors.As(err, &unread)
}
