package backup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A data directory that is there keeps its mode, its owner and the link that leads to it, whether the restore succeeds or not.
func TestARestoreFillsTheDirectoryThatIsThere(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		p.mustBack()
		content, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		o := p.target()
		real := filepath.Join(t.TempDir(), "volume")
		err = errors.Join(os.MkdirAll(filepath.Dir(o.Data), 0o700), os.Mkdir(real, 0o700), os.Chmod(real, 0o750), os.Symlink(real, o.Data))
		if err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(real)
		if err != nil {
			t.Fatal(err)
		}
		same := func(when string, entries bool) {
			t.Helper()
			after, err := os.Stat(o.Data)
			if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
				t.Errorf("%s: %v, %v", when, after, err)
			}
			if link, err := os.Readlink(o.Data); err != nil || link != real {
				t.Errorf("%s: the link leads to %q, %v", when, link, err)
			}
			if found, err := os.ReadDir(real); err != nil || (len(found) > 0) != entries {
				t.Errorf("%s: it has %v, %v", when, found, err)
			}
		}
		bad := o
		bad.File = filepath.Join(t.TempDir(), "damaged")
		content[len(content)-1] ^= 1
		if err := os.WriteFile(bad.File, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Restore(t.Context(), bad)
		refused(t, err, domain.Invalid, "damaged")
		same("refused", false)
		if _, err := Restore(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		same("restored", true)
	})
}

// A restore that fails at its very end leaves neither the database nor files, and what another program put there meanwhile stays.
func TestARestoreThatCannotMoveItsFilesLeavesNothing(t *testing.T) {
	p := newPlace(t, "")
	p.mustBack()
	o := p.target()
	o.Database = "sqlite:" + filepath.Join(t.TempDir(), "elsewhere.db")
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	u, err := newUnpacker(o, store.SQLiteFile(o.Database))
	if err != nil {
		t.Fatal(err)
	}
	m, err := read(t.Context(), o.File, o.Keys, u)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Data, "tls"), []byte("theirs"), 0o600); err != nil { // the last but one to be moved, or so
		t.Fatal(err)
	}
	refused(t, u.publish(m), domain.Conflict, "cannot be moved")
	u.remove()
	if _, err := os.Stat(store.SQLiteFile(o.Database)); err == nil {
		t.Error("the database is left")
	}
	if found, err := os.ReadDir(o.Data); err != nil || len(found) != 1 || found[0].Name() != "tls" {
		t.Errorf("left: %v, %v", found, err)
	}
}
