package approval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

// Seen is an app version that a message has come for and that the owner has not decided about.
type Seen struct {
	Version
	Rule Rule      `json:"rule"` // why it did not run
	At   time.Time `json:"at"`   // first seen
}

// Shelf keeps the bytes of app versions that wait, and of those that were approved, for the owner to look at. Nothing is decided by it.
type Shelf struct{ Dir string }

const (
	maxSeen  = 100
	maxShelf = 300 // app versions whose bytes are kept
)

func (s Shelf) list() string           { return filepath.Join(s.Dir, "waiting.json") }
func (s Shelf) path(fab string) string { return filepath.Join(s.Dir, fab+".fab") }

// Waiting returns the versions that wait, the oldest first.
func (s Shelf) Waiting() ([]Seen, error) {
	f, err := openfile.Regular(s.list())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Seen
	if err := json.NewDecoder(io.LimitReader(f, maxStore)).Decode(&out); err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.list(), err)
	}
	return slices.DeleteFunc(out, func(v Seen) bool { return !isHash(v.FAB) }), nil
}

// Add keeps a version and its bytes. It reports whether it is new, or waits for another reason than before.
func (s Shelf) Add(v Seen, fab []byte) (isNew bool, err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return false, err
	}
	if err := s.keep(v.FAB, fab); err != nil {
		return false, err
	}
	all, err := s.Waiting()
	if err != nil {
		all = nil // half a list is none: a version that waits comes again with its next message
	}
	at := slices.IndexFunc(all, func(o Seen) bool { return o.FAB == v.FAB })
	if at >= 0 && all[at].Deps == v.Deps && all[at].Rule == v.Rule {
		return false, nil
	}
	if at >= 0 {
		all = slices.Delete(all, at, at+1)
	}
	all = append(all, v)
	return true, s.write(all[max(0, len(all)-maxSeen):])
}

// Remove takes a version from the list; its bytes stay.
func (s Shelf) Remove(fab string) error {
	all, err := s.Waiting()
	if err != nil {
		return err
	}
	return s.write(slices.DeleteFunc(all, func(v Seen) bool { return v.FAB == fab }))
}

func (s Shelf) write(all []Seen) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return writeFile(s.list(), append(text, '\n'))
}

func (s Shelf) keep(hash string, fab []byte) error {
	if _, err := os.Stat(s.path(hash)); err == nil {
		return nil
	}
	names, _ := filepath.Glob(filepath.Join(s.Dir, "*.fab")) // the folder's name makes a sound pattern or finds nothing
	if len(names) >= maxShelf {
		slices.SortFunc(names, func(a, b string) int { return modTime(a).Compare(modTime(b)) })
		_ = os.Remove(names[0])
	}
	return writeFile(s.path(hash), fab)
}

func modTime(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// FAB returns the bytes of a version.
func (s Shelf) FAB(hash string) ([]byte, error) {
	f, err := openfile.Regular(s.path(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, domain.Errorf(domain.NotFound, "The bytes of the app version %.16s are not on this machine any more.", hash).
			Fix("They come again with its next message.")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fab, err := io.ReadAll(io.LimitReader(f, maxText))
	if err != nil {
		return nil, err
	}
	if v, _ := Read(fab, false); v.FAB != hash {
		return nil, domain.Errorf(domain.Conflict, "The file of the app version %.16s was changed.", hash).
			Fix("Remove %s; it comes again with its next message.", s.path(hash))
	}
	return fab, nil
}

// leastPrefix is how many digits of a hash name a version: with fewer, another version could be made that begins with the same.
const leastPrefix = 16

// Find returns the full hash of the one version that begins with some digits.
func Find(prefix string, known []string) (string, error) {
	prefix = strings.ToLower(strings.TrimSpace(prefix))
	if len(prefix) < leastPrefix || strings.Trim(prefix, "0123456789abcdef") != "" {
		return "", domain.Errorf(domain.Invalid, "%q does not name an app version safely.", prefix).
			Fix("Give its whole SHA-256, or at least its first %d digits; blossomtune apps shows them.", leastPrefix).At("hash")
	}
	var found []string
	for _, k := range known {
		if strings.HasPrefix(k, prefix) && !slices.Contains(found, k) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", domain.Errorf(domain.NotFound, "No app version on this machine begins with %s.", prefix).
			Fix("blossomtune apps lists those that are here. A version arrives with its first message.").At("hash")
	}
	return "", domain.Errorf(domain.Conflict, "%d app versions begin with %s.", len(found), prefix).
		Fix("Give the whole SHA-256: %s.", strings.Join(found, ", ")).At("hash")
}
