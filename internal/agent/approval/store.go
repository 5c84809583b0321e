package approval

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/openfile"
)

// State is what the owner has said of an app version.
type State string

// The states.
const (
	Waiting  State = "waiting"
	Approved State = "approved"
	Rejected State = "rejected"
)

// Decision is what the owner has said of one app version, with the packages that it needs.
type Decision struct {
	FAB      string    `json:"fab"`
	Deps     string    `json:"deps"`
	State    State     `json:"state"`
	App      string    `json:"app"`
	Version  string    `json:"version"`
	At       time.Time `json:"at"`
	Packages string    `json:"packages,omitempty"` // SHA-256 of what its environment had at its first run after the approval
}

// Store keeps the owner's decisions in a folder, under a code that only the holder of this machine's key can make. So a file that was
// changed, or copied from another machine or federation, is found. Several processes may use the same folder.
type Store struct {
	dir        string
	server     string
	federation string
	code       []byte // of the message authentication
}

// New returns the store of a folder, for the federation of a server that this machine's key is enrolled in.
func New(dir, server, federation string, key *ecdsa.PrivateKey) (*Store, error) {
	secret, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("reading this machine's key: %w", err)
	}
	code := sha256.Sum256(append([]byte("blossomtune-approvals:"), secret...))
	return &Store{dir: dir, server: server, federation: federation, code: code[:]}, nil
}

type decisions struct {
	Server     string     `json:"server"`
	Federation string     `json:"federation"`
	Machine    string     `json:"machine"`
	Decisions  []Decision `json:"decisions"`
}

type sealed struct {
	Decisions json.RawMessage `json:"approvals"`
	Code      string          `json:"code"`
}

const (
	maxStore = 16 << 20
	lockWait = 5 * time.Second
)

func (s *Store) file() string { return filepath.Join(s.dir, "approvals.json") }

// machine names the key without saying anything of it.
func (s *Store) machine() string {
	sum := sha256.Sum256(append([]byte("machine:"), s.code...))
	return hex.EncodeToString(sum[:8])
}

func (s *Store) seal(text []byte) string {
	h := hmac.New(sha256.New, s.code)
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// Decisions returns what the owner has decided. A file that was not made here is a [*Refusal].
func (s *Store) Decisions() ([]Decision, error) {
	f, err := openfile.Regular(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse(RuleSignature, "the approvals cannot be read: %v", err)
	}
	defer f.Close()
	if err := private(f); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxStore))
	if err != nil {
		return nil, refuse(RuleSignature, "the approvals cannot be read: %v", err)
	}
	var out sealed
	var d decisions
	if json.Unmarshal(text, &out) != nil || json.Unmarshal(out.Decisions, &d) != nil {
		return nil, refuse(RuleSignature, "approvals.json is not as it was written")
	}
	switch {
	case d.Server != s.server || d.Federation != s.federation:
		return nil, refuse(RuleSignature, "approvals.json is of the federation %q of %s, not of this one", d.Federation, d.Server)
	case d.Machine != s.machine():
		return nil, refuse(RuleSignature, "approvals.json was made on another machine, or with another key")
	case subtle.ConstantTimeCompare([]byte(out.Code), []byte(s.seal(out.Decisions))) != 1:
		return nil, refuse(RuleSignature, "approvals.json was changed")
	}
	return d.Decisions, nil
}

// Decide keeps a decision in the place of an older one about the same version.
func (s *Store) Decide(d Decision) error {
	return s.change(func(all []Decision) []Decision {
		all = slices.DeleteFunc(all, func(o Decision) bool { return o.FAB == d.FAB })
		return append(all, d)
	})
}

// Pin keeps which packages an approved version had at its first run.
func (s *Store) Pin(fab, packages string) error {
	return s.change(func(all []Decision) []Decision {
		for i := range all {
			if all[i].FAB == fab && all[i].Packages == "" {
				all[i].Packages = packages
			}
		}
		return all
	})
}

// Rekey writes the decisions for another key of this machine.
func (s *Store) Rekey(key *ecdsa.PrivateKey) error {
	next, err := New(s.dir, s.server, s.federation, key)
	if err != nil {
		return err
	}
	all, err := s.Decisions()
	if err != nil || all == nil {
		return err
	}
	return next.write(all)
}

func (s *Store) change(do func([]Decision) []Decision) error {
	var lock *filelock.Lock
	err := filelock.Wait(context.Background(), lockWait, func(context.Context) (err error) {
		lock, err = filelock.Take(s.file() + ".lock")
		return err
	})
	if errors.Is(err, filelock.ErrHeld) {
		err = domain.Errorf(domain.Conflict, "Another command changes the approvals at the moment.").Fix("Try again.")
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	all, err := s.Decisions()
	if err != nil {
		return err
	}
	return s.write(do(all))
}

func (s *Store) write(all []Decision) error {
	text, err := json.Marshal(decisions{Server: s.server, Federation: s.federation, Machine: s.machine(), Decisions: all})
	if err != nil {
		return err
	}
	out, err := json.Marshal(sealed{Decisions: text, Code: s.seal(text)})
	if err != nil {
		return err
	}
	return writeFile(s.file(), append(out, '\n'))
}

// writeFile replaces a file in one step, durably, readable for the owner only.
func writeFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
