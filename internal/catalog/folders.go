package catalog

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

// Bounds of a source tree.
const (
	maxFiles    = 2000
	maxUnzipped = 50 << 20
)

// Discover adds the apps in the folders: a folder with a pyproject.toml is one, else those below it are. What is no app is left
// out and told in the error. Unchanged ones are not built again.
func (s *Service) Discover(ctx context.Context, folders ...string) error {
	var errs []error
	for _, root := range folders {
		dirs, err := appDirs(root)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, dir := range dirs {
			if err := s.discover(ctx, dir); err != nil {
				errs = append(errs, fmt.Errorf("app in %s: %w", dir, err))
			}
		}
	}
	return errors.Join(errs...)
}

func appDirs(root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, "pyproject.toml")); err == nil {
		return []string{root}, nil
	}
	found, err := filepath.Glob(filepath.Join(root, "*", "pyproject.toml"))
	if err != nil {
		return nil, fmt.Errorf("looking for apps in %s: %w", root, err)
	}
	for i, f := range found {
		found[i] = filepath.Dir(f)
	}
	return found, nil
}

func (s *Service) discover(ctx context.Context, dir string) error {
	digest, err := treeDigest(os.DirFS(dir))
	if err != nil {
		return err
	}
	key := "app_source:" + digest
	known := false
	err = s.Store.View(ctx, func(tx Tx) error {
		hash, err := tx.Setting(ctx, key)
		if err != nil || hash == "" {
			return err
		}
		_, err = tx.AppVersionByHash(ctx, hash, false)
		known = err == nil
		return nil
	})
	if err != nil || known {
		return err
	}
	fab, err := s.build(ctx, dir)
	if err != nil {
		return err
	}
	a, err := s.add(ctx, domain.System, fab, domain.AppOrigin{Kind: domain.OriginFolder, Place: filepath.Base(dir)})
	if err != nil {
		return err
	}
	s.Log.Info("found an app", "app", a.ID(), "version", a.Version, "hash", a.Hash[:8])
	return s.Store.InTx(ctx, func(tx Tx) error { return tx.PutSetting(ctx, key, a.Hash) })
}

// build makes the FAB of a folder, unless its pyproject.toml says already why that cannot be; Flower says less about it.
func (s *Service) build(ctx context.Context, dir string) ([]byte, error) {
	f, err := openfile.Regular(filepath.Join(dir, "pyproject.toml"))
	if err != nil {
		return nil, invalid("pyproject.toml cannot be read.").Because(err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPyproject))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, invalid("pyproject.toml cannot be read.").Because(err)
	}
	root := os.DirFS(dir)
	if _, err := readPyproject(text,
		func(name string) bool { _, err := fs.Stat(root, strings.TrimSuffix(name, "/")); return err == nil }); err != nil {
		return nil, err
	}
	fab, err := s.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	return fab, checkLeftOut(root, fab)
}

// treeDigest is over names and contents of the files below a folder.
func treeDigest(tree fs.FS) (string, error) {
	h := sha256.New()
	files, bytes := 0, int64(0)
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && hidden(d.Name()) {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() {
			return checkSpecial(tree, path)
		}
		f, err := tree.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintf(h, "\x00%s\x00", path)
		n, err := io.Copy(h, io.LimitReader(f, maxUnzipped))
		if files, bytes = files+1, bytes+n; files > maxFiles || bytes > maxUnzipped {
			return tooMuch()
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// checkSpecial refuses what `flwr build` would wait for without end: a FIFO, a socket or a device, also behind a link.
func checkSpecial(tree fs.FS, path string) error {
	info, err := fs.Stat(tree, path)
	if err != nil || info.IsDir() || info.Mode().IsRegular() {
		return nil //nolint:nilerr // a broken link is no file; Flower says so where it matters
	}
	return invalid("%s is %s.", path, openfile.Kind(info.Mode())).Fix("Keep only files in an app's folder.")
}

// buildZip makes a FAB from a zip of an app's folder, which may be the zip's top or its one folder.
func (s *Service) buildZip(ctx context.Context, body []byte) ([]byte, error) {
	z, err := openZip(body)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "blossomtune-app-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := unzip(z, dir); err != nil {
		return nil, err
	}
	dirs, err := appDirs(dir)
	if err != nil {
		return nil, err
	}
	if len(dirs) != 1 {
		return nil, invalid("The zip holds %d folders with a pyproject.toml, not one.", len(dirs)).Fix("Zip the folder of one app.")
	}
	return s.build(ctx, dirs[0])
}

func unzip(z *zip.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // no member's name leads out of it
	if err != nil {
		return fmt.Errorf("opening a temporary folder: %w", err)
	}
	defer root.Close()
	left := int64(maxUnzipped)
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		n, err := unzipOne(root, f, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func unzipOne(root *os.Root, f *zip.File, left int64) (int64, error) {
	if err := root.MkdirAll(filepath.Dir(filepath.FromSlash(f.Name)), 0o700); err != nil {
		return 0, invalid("The zip cannot be unpacked.").Because(err)
	}
	in, err := f.Open()
	if err != nil {
		return 0, invalid("The zip cannot be unpacked.").Because(err)
	}
	defer in.Close()
	out, err := root.OpenFile(filepath.FromSlash(f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, invalid("The zip cannot be unpacked.").Because(err)
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if err := errors.Join(err, out.Close()); err != nil {
		return n, invalid("The zip cannot be unpacked.").Because(err)
	}
	if n > left {
		return n, invalid("The zip unpacks to more than %d MB.", maxUnzipped>>20).Fix("Keep data out of an app's folder.")
	}
	return n, nil
}
