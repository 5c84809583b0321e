// Package appuser chooses the operating-system users that ServerApps run as, and opens the way to their files for them.
package appuser

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
)

// Users are the users that ServerApps run as.
type Users struct {
	Range domain.UIDRange // zero: the server's own user
	Data  string          // the data directory
	// Python returns the Python environment once it is ready.
	Python func() (python.Env, bool)
	Log    *slog.Logger
}

// Of returns the user that a federation's ServerApps run as; 0: the server's own. It is a [domain.Unavailable] error where the
// federation should have one and the range is used up.
func (u *Users) Of(fedID int64) (int, error) {
	if u.Range == (domain.UIDRange{}) || !contain.Check().Users {
		return 0, nil
	}
	uid, err := u.Range.Of(fedID)
	if err != nil {
		return 0, err
	}
	if why := u.canRunAs(uid, engine.FedDir(u.Data, fedID)); why != nil {
		u.Log.Warn("ServerApps run as the server's user", "federation", fedID, "reason", why)
		return 0, nil
	}
	return uid, nil
}

// String says for people which users ServerApps run as.
func (u *Users) String() string {
	ids := u.Range
	switch {
	case ids == (domain.UIDRange{}):
		return "the server's user: --app-uids is off"
	case !contain.Check().Users:
		return "the server's user: only root can start them as others"
	}
	if err := u.canRunAs(ids.First, engine.FedDir(u.Data, 1)); err != nil {
		return "the server's user. " + err.Error()
	}
	return fmt.Sprintf("users of their own: each federation has a user ID of %s", ids)
}

// canRunAs reports why ServerApps cannot run as a user of their own. Where they have no file system of their own, it opens the way to
// their folders and closes the rest of the server's directories to other users.
func (u *Users) canRunAs(uid int, fedDir string) error {
	env, made := u.Python()
	if !contain.Check().Namespaces {
		data := u.Data
		feds, runs, envs := filepath.Join(data, "federations"), filepath.Join(fedDir, "runs"), filepath.Join(data, "python")
		if err := openWays([]string{data, feds, fedDir, runs, envs}, feds, runs, envs); err != nil {
			return err
		}
	}
	paths := []string{filepath.Join(fedDir, "runs", "x")}
	if made {
		paths = append(append(paths, env.Bin("python"), filepath.Join(env.Dir, "x")), python.Installation(env.Dir)...)
	}
	return contain.CanRunAs(uid, paths...)
}

// openWays lets other users pass through directories, without listing them, and takes from them the files in there. Directories that are
// not on the way are closed, those below parents of several ways apart: they are closed by those who made them.
func openWays(ways []string, shared ...string) error {
	for _, dir := range ways {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // a link leads to what is not this server's alone
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if slices.Contains(ways, path) || e.IsDir() && slices.Contains(shared, dir) || e.Type()&(fs.ModeSymlink|fs.ModeSocket) != 0 {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil && info.Mode().Perm()&0o007 != 0 {
				err = os.Chmod(path, info.Mode().Perm()&^0o007)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("closing %s: %w", path, err)
			}
		}
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	return nil
}
