package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"blossomtune/internal/domain"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// visitor takes what is read from a backup. Its take must read an entry to the end or return an error.
type visitor interface {
	begin(About) error
	take(e *tar.Header, r io.Reader) error
}

// read reads a whole backup and checks every byte of it. Damage is a [domain.Invalid] error that names the place.
func read(ctx context.Context, path string, k Keys, v visitor) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, domain.Errorf(domain.Invalid, "The backup %s cannot be read.",
			path).Fix("Check its path and permissions.").Because(err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	plain, err := decrypted(in, k)
	if err != nil {
		return Manifest{}, err
	}
	ahead := readAhead(&stoppable{ctx, plain})
	defer ahead.stop()
	body := newTrailed(ahead)
	z, err := zstd.NewReader(body, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return Manifest{}, fmt.Errorf("decompressing the backup: %w", err)
	}
	defer z.Close()
	r := &reader{v: v, tar: tar.NewReader(z), seen: map[string]Entry{}}
	m, err := r.all()
	if err == nil {
		if _, err = io.Copy(io.Discard, z); err != nil {
			err = damaged("at its end", err)
		}
	}
	if err == nil {
		err = body.check()
	}
	if ctx.Err() != nil {
		return m, ctx.Err()
	}
	return m, err
}

// decrypted returns the plain text of a backup.
func decrypted(in *bufio.Reader, k Keys) (io.Reader, error) {
	head, err := in.Peek(maxAgeStart)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	if !bytes.HasPrefix(head, []byte(ageHead)) {
		if len(head) < 4 || binary.LittleEndian.Uint32(head) != 0xFD2FB528 {
			return nil, damage{domain.Errorf(domain.Invalid,
				"The file is not a backup, or its first bytes are damaged.").Fix("Check the file's name, or use another copy.")}
		}
		return in, nil
	}
	ids, err := k.identities(head)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(in, ids...)
	if err != nil {
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return nil, domain.Errorf(domain.Invalid, "The key or passphrase does not open the backup, or the backup's header is damaged.").
				Fix("Give the key or passphrase that it was encrypted for, or use another copy.").Because(err)
		}
		return nil, damaged("in its header, which age wrote", err)
	}
	return r, nil
}

// stoppable stops reading when ctx ends.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// trailed reads what precedes the trailer, and checks that its SHA-256 is the one there.
type trailed struct {
	r   *bufio.Reader
	sum hash.Hash
	end bool
}

func newTrailed(r io.Reader) *trailed {
	return &trailed{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
}

func (t *trailed) Read(p []byte) (int, error) {
	want := min(len(p)+trailerSize, 128<<10)
	have, err := t.r.Peek(want)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	n := min(len(have)-trailerSize, len(p))
	if n <= 0 {
		t.end = true
		return 0, io.EOF
	}
	n = copy(p, have[:n])
	t.sum.Write(p[:n])
	_, err = t.r.Discard(n)
	return n, err
}

func (t *trailed) check() error {
	trailer, err := io.ReadAll(io.LimitReader(t.r, trailerSize+1))
	if err != nil {
		return damaged("in the checksum at its end", err)
	}
	want := binary.LittleEndian.AppendUint32(nil, skippable)
	want = t.sum.Sum(binary.LittleEndian.AppendUint32(want, sha256.Size))
	if !t.end || !bytes.Equal(trailer, want) {
		return damaged("in a part that holds no data, or in the checksum at its end: every entry is whole",
			errors.New("the checksum of the file is another"))
	}
	return nil
}

// reader goes through the entries.
type reader struct {
	v     visitor
	tar   *tar.Reader
	about About
	seen  map[string]Entry
	last  string // the entry before
}

func (r *reader) all() (m Manifest, err error) {
	for {
		h, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			return m, damaged("at its end: the manifest is missing", nil)
		}
		if err != nil {
			return m, damaged(r.between(), err)
		}
		if h.Typeflag != tar.TypeReg || r.seen[h.Name].Name != "" || !fs.ValidPath(h.Name) {
			return m, damaged(fmt.Sprintf("at %q, an entry that no backup has", h.Name), nil)
		}
		switch {
		case h.Name == manifestName:
			if m, err = r.manifest(h); err == nil {
				_, err = r.tar.Next()
				if err = ignoreEOF(err); err != nil {
					err = damaged("after its manifest", err)
				}
			}
			return m, err
		case r.last == "":
			err = r.first(h)
		default:
			err = r.entry(h)
		}
		if err != nil {
			return m, err
		}
		r.last = h.Name
	}
}

func ignoreEOF(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errors.New("more entries follow")
	}
	return err
}

func (r *reader) between() string {
	if r.last == "" {
		return "at its beginning"
	}
	return fmt.Sprintf("at the end of the entry %q or in the entry after it", r.last)
}

// first reads about.json.
func (r *reader) first(h *tar.Header) error {
	b, err := r.small(h, aboutName, maxAbout)
	if err == nil {
		err = json.Unmarshal(b, &r.about)
	}
	if err != nil {
		return damaged("at its beginning", err)
	}
	if err := r.about.check(); err != nil {
		return err
	}
	return r.v.begin(r.about)
}

func (r *reader) small(h *tar.Header, name string, limit int64) ([]byte, error) {
	if h.Name != name || h.Size > limit {
		return nil, fmt.Errorf("the entry %q with %d bytes is not %s", h.Name, h.Size, name)
	}
	b, err := io.ReadAll(r.tar)
	sum := sha256.Sum256(b)
	r.seen[name] = Entry{Name: name, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
	return b, err
}

// fromArchive marks an error of reading, so that it is not taken for one of the visitor.
type fromArchive struct{ error }

type archived struct{ r io.Reader }

func (a archived) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fromArchive{err}
	}
	return n, err
}

func (r *reader) entry(h *tar.Header) error {
	sum := sha256.New()
	err := r.v.take(h, io.TeeReader(archived{r.tar}, sum))
	var ours fromArchive
	if errors.As(err, &ours) {
		return damaged(fmt.Sprintf("in the entry %q", h.Name), ours.error)
	}
	if err != nil {
		return err
	}
	r.seen[h.Name] = Entry{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum.Sum(nil))}
	return nil
}

// manifest reads the manifest and compares it with what was read.
func (r *reader) manifest(h *tar.Header) (m Manifest, err error) {
	b, err := r.small(h, manifestName, maxManifest)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, damaged("in its manifest", err)
	}
	for _, e := range m.Entries {
		got, found := r.seen[e.Name]
		switch {
		case !found:
			return m, damaged(fmt.Sprintf("at the entry %q, which is missing", e.Name), nil)
		case got.Size != e.Size || got.SHA256 != e.SHA256:
			return m, damaged(fmt.Sprintf("in the entry %q", e.Name), errors.New("its SHA-256 is not the one in the manifest"))
		}
	}
	if len(m.Entries) != len(r.seen)-1 {
		return m, damaged("in its manifest: it does not list every entry", nil)
	}
	return m, nil
}
