package backup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"

	"github.com/klauspost/compress/zstd"
)

// newSmall makes a backup of a small server on SQLite.
func newSmall(t *testing.T, protect Protection) (p *place, content []byte) {
	t.Helper()
	p = newPlace(t, "")
	if _, err := p.back(protect); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	return p, content
}

// found checks that a damaged backup is refused with the place of the damage, and returns what was said.
func found(t *testing.T, content []byte, k Keys, what string, at int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Verify(t.Context(), path, k)
	var known *domain.Error
	if !errors.As(err, &known) || known.Code != domain.Invalid || known.Remedy == "" || !strings.Contains(known.Message, "damaged") {
		t.Fatalf("%s at byte %d of %d: %v", what, at, len(content), err)
	}
	return known.Message
}

// One flipped bit is found, wherever it is: in the frames' heads, in every entry, in the manifest, in the checksum at the end.
func TestAFlippedByteIsFoundAndNamed(t *testing.T) {
	p, content := newSmall(t, Protection{Clear: true})
	starts := frames(t, content)
	places := map[int]bool{}
	for i := range 24 {
		places[i], places[len(content)-1-i*2] = true, true
	}
	for _, at := range starts { // the beginning, head and middle of every frame
		for _, more := range []int{0, 4, 5, 7, 12} {
			places[at+more] = true
		}
	}
	for at := range places {
		if at < len(content) {
			flipped := bytes.Clone(content)
			flipped[at] ^= 1 << (at % 8)
			found(t, flipped, Keys{}, "a flipped bit", at)
		}
	}
	for _, name := range []string{"federations/1/objects/0a", "federations/1/runs/7/work/model.npz"} { // noise, so it is as it was stored
		head, err := os.ReadFile(filepath.Join(p.set.Data, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(content, head[2000:2032])
		if at < 0 {
			t.Fatalf("%s is not stored as it is", name)
		}
		flipped := bytes.Clone(content)
		flipped[at] ^= 4
		if said := found(t, flipped, Keys{}, "a flipped bit in "+name, at); !strings.Contains(said, name) {
			t.Errorf("it does not name %s: %s", name, said)
		}
	}
	for _, n := range []int{1, 39, 40, 100, len(content) / 2, len(content) - 5} {
		found(t, content[:len(content)-n], Keys{}, "a cut end", n)
	}
	found(t, append(bytes.Clone(content), 0), Keys{}, "a byte too many", len(content))
}

// frames returns where the frames of zstd begin.
func frames(t *testing.T, content []byte) (at []int) {
	t.Helper()
	magic := []byte{0x28, 0xB5, 0x2F, 0xFD}
	for i := 0; i+4 < len(content); i++ {
		var h zstd.Header
		if bytes.Equal(content[i:i+4], magic) && h.Decode(content[i:]) == nil {
			at = append(at, i)
		}
	}
	if len(at) < 10 {
		t.Fatalf("%d frames", len(at))
	}
	return at
}

func TestAFlippedByteOfAnEncryptedBackupIsFound(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	recipient, err := NewKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	p, content := newSmall(t, Protection{Recipients: []string{recipient}})
	secret, err := ReadSecret(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	k := Keys{Identities: secret}
	if _, err := Verify(t.Context(), p.file, k); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("RECEIPT")) || bytes.Contains(content, []byte("launch.json")) {
		t.Error("a name or a key can be read in the encrypted backup")
	}
	for at := 0; at < len(content); at += 1 + len(content)/80 {
		flipped := bytes.Clone(content)
		flipped[at] ^= 1 << (at % 8)
		found(t, flipped, k, "a flipped bit", at)
	}
	for at := 22; at < 220; at += 3 { // age's header
		flipped := bytes.Clone(content)
		flipped[at] ^= 1
		found(t, flipped, k, "a flipped bit in the header", at)
	}
	otherFile := filepath.Join(t.TempDir(), "other")
	if _, err := NewKey(otherFile); err != nil {
		t.Fatal(err)
	}
	other, err := ReadSecret(otherFile)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(t.Context(), p.file, Keys{Identities: other})
	refused(t, err, domain.Invalid, "does not open")
}

func TestABackupWithAPassphrase(t *testing.T) {
	scryptWork = 10
	t.Cleanup(func() { scryptWork = defaultScryptWork })
	p, _ := newSmall(t, Protection{Passphrase: "correct horse"})
	says := func(text string) Keys { return Keys{Passphrase: func() (string, error) { return text, nil }} }
	if _, err := Verify(t.Context(), p.file, says("correct horse")); err != nil {
		t.Error(err)
	}
	_, err := Verify(t.Context(), p.file, says("another"))
	refused(t, err, domain.Invalid, "does not open")
	_, err = Verify(t.Context(), p.file, Keys{})
	refused(t, err, domain.Invalid, "passphrase")
}

func refused(t *testing.T, err error, code domain.Code, words string) {
	t.Helper()
	var known *domain.Error
	if !errors.As(err, &known) || known.Code != code || known.Remedy == "" || !strings.Contains(known.Message, words) {
		t.Errorf("%v: want %s, %q and a remedy", err, code, words)
	}
}

func TestWhatABackupRefuses(t *testing.T) {
	p := newPlace(t, "")
	_, err := p.back(Protection{})
	refused(t, err, domain.Invalid, "not be encrypted")
	_, err = p.back(Protection{Recipients: []string{"age1nonsense"}})
	refused(t, err, domain.Invalid, "not an age recipient")
	p.mustBack()
	if info, err := os.Stat(p.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode is %v, %v", info.Mode(), err)
	}
	_, err = p.back(Protection{Clear: true})
	refused(t, err, domain.Conflict, "exists")

	o := p.target()
	full := o
	full.Data = p.set.Data
	_, err = Restore(t.Context(), full)
	refused(t, err, domain.Conflict, "not empty")
	crossed := o
	crossed.Database = "postgres://nobody@127.0.0.1:1/x"
	_, err = Restore(t.Context(), crossed)
	refused(t, err, domain.Unavailable, "PostgreSQL does not answer")
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := store.CopySQLite(t.Context(), store.SQLiteFile(p.set.Database), copied); err != nil {
		t.Fatal(err)
	}
	made, err := store.DescribeSQLite(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	if err := fits(About{Database: made}, false); err == nil {
		t.Error("a backup of SQLite is restored to PostgreSQL")
	} else {
		refused(t, err, domain.Conflict, "another kind of database")
	}
	newer := made
	newer.Applied = append(slices.Clone(newer.Applied), 99990101000000)
	refused(t, fits(About{Database: newer}, true), domain.Conflict, "does not know")

	if left, _ := filepath.Glob(filepath.Join(p.set.Data, Folder, ".*")); len(left) != 0 {
		t.Errorf("backups left %v", left)
	}
}

// A restore verifies while it unpacks, so damage may be found after everything was written.
func TestARefusedRestoreLeavesNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		p.mustBack()
		content, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		o := p.target()
		if store.SQLiteFile(o.Database) != "" { // beside the data directory, where it needs an own name until it is verified
			o.Database = "sqlite:" + filepath.Join(filepath.Dir(o.Data), "elsewhere.db")
		}
		whole := o
		o.File = filepath.Join(t.TempDir(), "damaged")
		for _, at := range []int{len(content) / 3, len(content) / 2, len(content) - 1} { // the last is found after everything was unpacked
			content[at] ^= 1
			if err := os.WriteFile(o.File, content, 0o600); err != nil {
				t.Fatal(err)
			}
			content[at] ^= 1
			_, err = Restore(t.Context(), o)
			refused(t, err, domain.Invalid, "damaged")
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(o.Data), "*")); len(left) != 0 || err != nil {
				t.Errorf("byte %d: the refused restore left %v, %v", at, left, err)
			}
		}
		if _, err := Restore(t.Context(), whole); err != nil { // it refuses a database that is not empty
			t.Errorf("after the refused ones: %v", err)
		}
	})
}
