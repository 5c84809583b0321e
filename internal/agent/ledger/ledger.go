package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// Ledger writes entries. One process at a time may have it open; its methods are safe for concurrent use.
type Ledger struct {
	dir   string
	clock domain.Clock

	mu   sync.Mutex
	f    *os.File
	head Head
	size int64
	last time.Time // the latest time of an entry
	err  error     // why nothing can be written any more
}

// Open opens the ledger of a directory, or begins one. The whole ledger is checked first: a [*Broken] error names the rule that it breaks.
// A last line that was never written to its end, because the machine lost power, is removed: what it records never left.
func Open(dir string, clock domain.Clock) (*Ledger, error) {
	if _, err := os.Lstat(file(dir)); errors.Is(err, os.ErrNotExist) {
		if _, err := Check(dir, nil); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(file(dir), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("beginning the ledger: %w", err)
		}
		_ = f.Close()
	}
	in, err := open(file(dir))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var last time.Time
	head, size, err := scan(dir, in, func(e Entry) error {
		if e.At.After(last) {
			last = e.At
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file(dir), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	if err := f.Truncate(size); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	return &Ledger{dir: dir, clock: clock, f: f, head: head, size: size, last: last}, nil
}

// Close ends the use of the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}

// Head returns the newest line.
func (l *Ledger) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Append writes an entry and returns when it is on the disk. It sets the entry's number, time and hashes. After an error the ledger is as
// before, or refuses further entries.
func (l *Ledger) Append(e Entry) (Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.head, l.err
	}
	if err := l.unchanged(); err != nil {
		return l.head, err
	}
	e.N, e.Prev, e.At = l.head.N+1, l.head.Hash, l.clock().UTC()
	line, err := e.write()
	if err != nil {
		return l.head, err
	}
	line = append(line, '\n')
	if _, err = l.f.Write(line); err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		if back := l.f.Truncate(l.size); back != nil { // half a line would be taken for an edited one
			l.err = fmt.Errorf("writing the ledger: %w", errors.Join(err, back))
		}
		return l.head, fmt.Errorf("writing the ledger: %w", err)
	}
	l.head, l.size = Head{N: e.N, Hash: e.Hash}, l.size+int64(len(line))
	if e.At.After(l.last) {
		l.last = e.At
	}
	return l.head, l.writeHead()
}

// unchanged notices a file that another program changed while this one had it open.
func (l *Ledger) unchanged() error {
	ours, err := l.f.Stat()
	if err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	there, err := os.Stat(file(l.dir))
	switch {
	case err != nil || !os.SameFile(ours, there):
		return &Broken{Rule: RuleTail, Why: "the file was replaced or removed while the agent ran"}
	case ours.Size() < l.size:
		return &Broken{Rule: RuleTail, Why: "the file became shorter while the agent ran"}
	case ours.Size() > l.size:
		return &Broken{Rule: RuleOrder, Line: l.head.N + 1, Why: "another program wrote into the file while the agent ran"}
	}
	return private(l.f)
}

// writeHead replaces the head file. It needs no fsync: a head that lags behind after a crash names a line that is there.
func (l *Ledger) writeHead() error {
	text, err := json.Marshal(l.head)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(l.dir, ".ledger-*")
	if err != nil {
		return fmt.Errorf("writing the ledger's head: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), headFile(l.dir))
	}
	if err != nil {
		return fmt.Errorf("writing the ledger's head: %w", err)
	}
	return nil
}

// LastAt returns the latest time of all entries; the zero time of an empty ledger. A clock that is earlier was turned back.
func (l *Ledger) LastAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Files are the names of a ledger's files, the entries first.
func Files() []string { return []string{filepath.Base(file("")), filepath.Base(headFile(""))} }
