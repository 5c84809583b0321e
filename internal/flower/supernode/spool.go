package supernode

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	inMemory    = 64 << 10 // an object up to this size stays in memory …
	mostMemory  = 4 << 20  // … until a spool holds this much there
	copyBuffer  = 64 << 10
	objectsMode = 0o700
)

var (
	errWrongHash = errors.New("the content of an object does not match its name")
	errTooLarge  = errors.New("more data than one message may have")
	errNotListed = errors.New("an object that the message does not list")
)

// spool holds the objects of one message or of one reply: small ones in memory, others in files. It knows the names of all objects
// from the start and lets readers wait for their content. Its methods are safe for concurrent use.
type spool struct {
	dir  string
	most int64 // bytes of all objects together

	mu      sync.Mutex
	made    bool // the directory
	closed  bool
	memory  int
	bytes   int64
	missing int
	objects map[string]*object
	whole   chan struct{} // closed when no object is missing
}

type object struct {
	ready chan struct{} // closed when the content is there
	size  int64
	small []byte
	path  string // of a large one
}

// newSpool returns a spool for the objects with the given names, of which there is at least one.
func newSpool(dir string, ids []string, most int64) *spool {
	s := &spool{dir: dir, most: most, missing: len(ids), objects: make(map[string]*object, len(ids)), whole: make(chan struct{})}
	for _, id := range ids {
		s.objects[id] = &object{ready: make(chan struct{})}
	}
	return s
}

// put stores an object of size bytes from r, and checks that its name is its SHA-256. An object that is there already is read and
// dropped.
func (s *spool) put(id string, size int64, r io.Reader) error {
	s.mu.Lock()
	o := s.objects[id]
	switch {
	case o == nil:
		s.mu.Unlock()
		return errNotListed
	case s.closed:
		s.mu.Unlock()
		return os.ErrClosed
	case isClosed(o.ready):
		s.mu.Unlock()
		_, err := io.CopyN(io.Discard, r, size)
		return err
	}
	if size < 0 || size > s.most-s.bytes {
		s.mu.Unlock()
		return errTooLarge
	}
	s.bytes += size
	keep := size <= inMemory && s.memory+int(size) <= mostMemory
	if keep {
		s.memory += int(size)
	}
	s.mu.Unlock()
	small, path, err := s.take(id, size, r, keep)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.closed || isClosed(o.ready) { // another one was faster
		s.bytes -= size
		if keep {
			s.memory -= int(size)
		}
		if path != "" {
			_ = os.Remove(path)
		}
		if err == nil && s.closed {
			err = os.ErrClosed
		}
		return err
	}
	o.size, o.small, o.path = size, small, path
	close(o.ready)
	if s.missing--; s.missing == 0 {
		close(s.whole)
	}
	return nil
}

func (s *spool) take(id string, size int64, r io.Reader, keep bool) (small []byte, path string, err error) {
	sum := sha256.New()
	if keep {
		var b bytes.Buffer
		b.Grow(int(size))
		if _, err := io.CopyN(io.MultiWriter(&b, sum), r, size); err != nil {
			return nil, "", fmt.Errorf("reading an object: %w", err)
		}
		small = b.Bytes()
	} else if path, err = s.toFile(size, io.TeeReader(r, sum)); err != nil {
		return nil, "", err
	}
	if hex.EncodeToString(sum.Sum(nil)) != id {
		if path != "" {
			_ = os.Remove(path)
		}
		return nil, "", errWrongHash
	}
	return small, path, nil
}

func (s *spool) toFile(size int64, r io.Reader) (path string, err error) {
	s.mu.Lock()
	if !s.made {
		if err = os.MkdirAll(s.dir, objectsMode); err == nil {
			s.made = true
		}
	}
	s.mu.Unlock()
	if err != nil {
		return "", fmt.Errorf("making a directory for objects: %w", err)
	}
	f, err := os.CreateTemp(s.dir, "object-")
	if err != nil {
		return "", fmt.Errorf("storing an object: %w", err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(r, size), make([]byte, copyBuffer))
	if st, stErr := f.Stat(); err == nil && stErr == nil && st.Size() != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("storing an object: %w", err)
	}
	return f.Name(), nil
}

// get waits for an object and opens it. The caller closes what it gets.
func (s *spool) get(ctx context.Context, id string) (io.ReadCloser, int64, error) {
	s.mu.Lock()
	o := s.objects[id]
	s.mu.Unlock()
	if o == nil {
		return nil, 0, errNotListed
	}
	select {
	case <-o.ready:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	if o.path == "" {
		return io.NopCloser(bytes.NewReader(o.small)), o.size, nil
	}
	f, err := os.Open(o.path)
	if err != nil {
		return nil, 0, fmt.Errorf("opening an object: %w", err)
	}
	return f, o.size, nil
}

// largest returns the size of the largest object that is there.
func (s *spool) largest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most int64
	for _, o := range s.objects {
		if isClosed(o.ready) {
			most = max(most, o.size)
		}
	}
	return most
}

// drop removes all objects; what is stored later is refused.
func (s *spool) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, o := range s.objects {
		if isClosed(o.ready) && o.path != "" {
			_ = os.Remove(o.path)
		}
	}
	if s.made {
		_ = os.RemoveAll(s.dir)
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// parts is where the spools of messages lie.
func (n *Node) parts(name string) string { return filepath.Join(n.o.Dir, "spool", name) }
