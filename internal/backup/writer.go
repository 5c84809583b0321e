package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/domain"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// skippable begins a zstd frame that decoders pass over. It has one of the sixteen numbers that are free for use.
const skippable = 0x184D2A5B

// trailerSize is the size of the frame with the SHA-256 of what precedes it.
const trailerSize = 8 + sha256.Size

// partPrefix begins the name of a backup that is being written.
const partPrefix = ".blossomtune-backup-"

// writer writes an archive. Its file has another name until it is whole.
type writer struct {
	ctx     context.Context // when it ends, no more is added
	file    *os.File
	final   string
	whole   hash.Hash      // of the file
	crypt   io.WriteCloser // age; nil: the backup is clear
	sum     hash.Hash      // of what zstd wrote
	out     io.Writer      // to sum and file
	zstd    *zstd.Encoder
	tar     *tar.Writer
	entries []Entry
}

func newWriter(ctx context.Context, path string, p Protection, series string) (*writer, error) {
	to, err := p.recipients()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, domain.Errorf(domain.Conflict, "The file %s exists.", path).Fix("Choose another name; a backup never replaces a file.")
	}
	f, err := os.CreateTemp(filepath.Dir(path), partPrefix+series) // with mode 0600
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The backup cannot be written to %s.", filepath.Dir(path)).
			Fix("Check that the directory exists and that this user can write to it.").Because(err)
	}
	w := &writer{ctx: ctx, file: f, final: path, sum: sha256.New(), whole: sha256.New()}
	plain := io.MultiWriter(f, w.whole)
	if len(to) > 0 {
		if w.crypt, err = age.Encrypt(plain, to...); err != nil {
			w.abort()
			return nil, fmt.Errorf("encrypting the backup: %w", err)
		}
		plain = w.crypt
	}
	w.out = io.MultiWriter(plain, w.sum)
	w.zstd, err = zstd.NewWriter(w.out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
	if err != nil {
		w.abort()
		return nil, fmt.Errorf("compressing the backup: %w", err)
	}
	w.tar = tar.NewWriter(w.zstd)
	return w, nil
}

// add adds an entry of a known size. It fills up with zeros what becomes shorter while it is read.
func (w *writer) add(name string, size int64, mode fs.FileMode, at time.Time, r io.Reader) error {
	w.zstd.Reset(w.out) // a frame of its own, so that damage is found where it is
	err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: int64(mode.Perm()), ModTime: at,
		Format: tar.FormatPAX})
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	sum := sha256.New()
	both := io.MultiWriter(w.tar, sum)
	n, err := io.Copy(both, io.LimitReader(&stoppable{w.ctx, r}, size))
	e := Entry{Name: name, Size: size}
	if err == nil && n < size {
		e.Changed = true
		_, err = io.CopyN(both, &stoppable{w.ctx, zeros{}}, size-n)
	}
	if err == nil {
		err = w.tar.Flush()
	}
	if err == nil {
		err = w.zstd.Close()
	}
	if err != nil {
		return full(fmt.Errorf("writing %s: %w", name, err))
	}
	e.SHA256 = hex.EncodeToString(sum.Sum(nil))
	w.entries = append(w.entries, e)
	return nil
}

func (w *writer) addBytes(name string, b []byte, at time.Time) error {
	return w.add(name, int64(len(b)), 0o600, at, strings.NewReader(string(b)))
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// finish writes the end of the archive and gives the file its name.
func (w *writer) finish() (size int64, err error) {
	w.zstd.Reset(w.out)
	trailer := binary.LittleEndian.AppendUint32(nil, skippable)
	trailer = binary.LittleEndian.AppendUint32(trailer, sha256.Size)
	err = errors.Join(w.tar.Close(), w.zstd.Close())
	if err == nil {
		_, err = w.out.Write(w.sum.Sum(trailer))
	}
	if err == nil && w.crypt != nil {
		err = w.crypt.Close()
	}
	if err == nil {
		err = w.file.Sync()
	}
	if info, statErr := w.file.Stat(); statErr == nil {
		size = info.Size()
	}
	if closeErr := w.file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = publish(w.file.Name(), w.final)
	}
	if err != nil {
		w.abort()
		return 0, full(fmt.Errorf("finishing the backup: %w", err))
	}
	return size, nil
}

// abort removes what was written.
func (w *writer) abort() {
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

// publish gives a file its final name, for good.
func publish(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// full adds the remedy to an error about a full disk.
func full(err error) error {
	if noSpace(err) {
		return domain.Errorf(domain.Unavailable, "The disk is full.").Fix("Free some space, or choose another directory.").Because(err)
	}
	return err
}
