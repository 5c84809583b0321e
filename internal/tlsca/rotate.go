package tlsca

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/domain"
)

// Overlap is how long a new CA is told to participants before the server's certificate is one of its own: agents that are there
// once in this time follow by themselves.
const Overlap = 14 * 24 * time.Hour

// nowFile makes a running server take the next CA without waiting for the rest of [Overlap].
const nowFile = "next.now"

// Rotate begins to replace our own CA in a directory, or, when that has begun and now is set, ends it at once. A running server
// takes it over within seconds. It returns when the next CA is taken into use, and its pin.
func Rotate(dir string, at time.Time, now bool) (time.Time, string, error) {
	if _, err := os.Stat(filepath.Join(dir, "ca.pem")); err != nil {
		return time.Time{}, "", domain.Errorf(domain.NotFound, "There is no CA of our own in %s.", dir).
			Fix("Name the server's data directory. A server with certificate files of its own renews those.").Because(err)
	}
	next, _, err := readPair(filepath.Join(dir, "next.pem"), filepath.Join(dir, "next.key"))
	if errors.Is(err, fs.ErrNotExist) {
		if now {
			return time.Time{}, "",
				domain.Errorf(domain.Conflict,
					"No new CA has been announced to participants yet.").Fix("Begin with `blossomtune ca rotate`; end it with --now when all are there.")
		}
		next, _, err = newCA(dir, "next", at)
	}
	if err != nil {
		return time.Time{}, "", fmt.Errorf("making the next CA: %w", err)
	}
	if now {
		return at, PinOf(next.Raw), writeFile(filepath.Join(dir, nowFile), nil, 0o600)
	}
	return promotedAt(next.NotBefore), PinOf(next.Raw), nil
}

func promotedAt(notBefore time.Time) time.Time { return notBefore.Add(backdate + Overlap) }

// lookForNext takes over a next CA that was made meanwhile, and puts it into use when its time has come.
func (s *own) lookForNext(now time.Time) error {
	next, key, err := readPair(filepath.Join(s.dir, "next.pem"), filepath.Join(s.dir, "next.key"))
	if errors.Is(err, fs.ErrNotExist) {
		s.next = nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the next CA: %w", err)
	}
	s.next = next
	_, noWait := os.Stat(filepath.Join(s.dir, nowFile))
	if noWait != nil && now.Before(promotedAt(next.NotBefore)) {
		return nil
	}
	if err := promote(s.dir, s.ca.SerialNumber.Text(16)); err != nil {
		return fmt.Errorf("taking the next CA into use: %w", err)
	}
	s.ca, s.key, s.next = next, key, nil
	return nil
}

// promote puts the next CA in the place of the present one, whose certificate is kept. A crash in between is mended by
// [finishPromotion].
func promote(dir, serial string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	old, err := os.ReadFile(in("ca.pem"))
	if err == nil {
		err = writeFile(in("ca-"+serial+".old.pem"), old, 0o644)
	}
	if err == nil {
		err = os.Rename(in("next.key"), in("ca.key"))
	}
	if err != nil {
		return err
	}
	return finishPromotion(dir)
}

// finishPromotion ends what a crash may have left of [promote]: a next certificate whose key is the CA's already.
func finishPromotion(dir string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	if _, _, err := readPair(in("next.pem"), in("ca.key")); err != nil {
		return nil //nolint:nilerr // there is nothing to finish
	}
	if err := os.Rename(in("next.pem"), in("ca.pem")); err != nil {
		return err
	}
	if err := os.Remove(in(nowFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
