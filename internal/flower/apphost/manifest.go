package apphost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"blossomtune/internal/flower/python"
)

const stampName = ".blossomtune-ready"

// stamp says that an environment is whole, and what it consists of.
type stamp struct {
	Key      string `json:"key"`
	Manifest string `json:"manifest"` // over the content of each file
}

// seal writes the stamp of a finished environment.
func seal(ctx context.Context, dir, key string) error {
	m, err := manifest(ctx, dir, content)
	if err != nil {
		return err
	}
	text, err := json.Marshal(stamp{Key: key, Manifest: m})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stampName), text, 0o600)
}

// intact reports whether an environment was finished and its files are those of then. This process reads the content of all files once;
// after that it compares their sizes, times and inodes, as long as those stay the same.
func (p *Pool) intact(ctx context.Context, dir, key string) bool {
	text, err := os.ReadFile(filepath.Join(dir, stampName))
	var s stamp
	if p.others && !shownToAll(dir) { // an earlier version made it, for its own user alone
		return false
	}
	if err != nil || json.Unmarshal(text, &s) != nil || s.Key != key {
		return false
	}
	if _, err := os.Stat(python.Env{Dir: dir}.Bin("python")); err != nil { // the Python that it was made from is gone
		return false
	}
	now, err := manifest(ctx, dir, outside)
	if err != nil {
		return false
	}
	known := proof{stamp: s.Manifest, files: now}
	p.mu.Lock()
	same := p.proofs[key] == known
	p.mu.Unlock()
	if same {
		return true
	}
	m, err := manifest(ctx, dir, content)
	if err != nil || m != s.Manifest {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.proofs) >= maxApps {
		clear(p.proofs)
	}
	p.proofs[key] = known
	return true
}

// proof notes how an environment's files looked from outside when their content was that of the stamp.
type proof struct{ stamp, files string }

// manifest hashes the path and mode of each file, and what each adds. Bytecode counts: it is what Python runs.
func manifest(ctx context.Context, dir string, add func(h hash.Hash, path string, info fs.FileInfo) error) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || d.IsDir() || d.Name() == stampName {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %v ", rel, info.Mode())
		return add(h, path, info)
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// content adds what a file holds, or where a link leads.
func content(h hash.Hash, path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		fmt.Fprintf(h, "%q\n", target)
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	fmt.Fprintf(h, "%x\n", sum.Sum(nil))
	return nil
}

// outside adds what is known of a file without reading it.
func outside(h hash.Hash, _ string, info fs.FileInfo) error {
	fmt.Fprintf(h, "%d %d %s\n", info.Size(), info.ModTime().UnixNano(), inode(info))
	return nil
}
