package agent

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/openfile"
)

// Status is what a running agent says of itself, in status.json of its folder.
type Status struct {
	PID       int       `json:"pid"`
	Started   time.Time `json:"started"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`         // connected or not
	Why       string    `json:"why,omitempty"` // it is not connected
	Suspended string    `json:"suspended,omitempty"`
	Working   []Work    `json:"working"`
	Agent     string    `json:"agent"`           // versions
	Newer     string    `json:"newer,omitempty"` // the server's version, where it is newer
	Flwr      string    `json:"flwr"`
	Python    string    `json:"python"`
	SharesLog bool      `json:"shares_logs"`
	Contained string    `json:"contained,omitempty"` // a [domain.Containment]
	Data      []string  `json:"data,omitempty"`      // folders that apps can read
}

// Work is a message that a ClientApp works on.
type Work struct {
	Run   uint64    `json:"run,string"`
	Name  string    `json:"name,omitempty"`
	Round string    `json:"round,omitempty"`
	Type  string    `json:"type"`
	Since time.Time `json:"since"`

	message string
}

// statusFile keeps the status of a running agent. Its methods are safe for concurrent use; a nil one does nothing.
type statusFile struct {
	path  string
	clock domain.Clock

	mu  sync.Mutex
	now Status
}

func (h home) statusFile() string { return h.file("status.json") }

func (n *node) openStatus() *statusFile {
	s := &statusFile{path: n.h.statusFile(), clock: n.j.o.Clock}
	now := s.clock().UTC()
	s.change(func(v *Status) {
		*v = Status{PID: os.Getpid(), Started: now, Since: now, Why: starting, Working: []Work{}, Agent: n.j.o.Version, Flwr: n.env.FlwrVersion,
			Python: n.env.PythonVersion, SharesLog: n.j.o.ShareLogs,
			Contained: n.j.o.containment(), Data: n.j.o.Data}
	})
	return s
}

// change writes the status with a change. A status that cannot be written is one that nobody reads.
func (s *statusFile) change(do func(*Status)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.now)
	text, err := json.Marshal(s.now)
	if err != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(s.path), ".status-*")
	if err != nil {
		return
	}
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
}

// connected notes that the SuperLink has taken the SuperNode in, or why the server is not reached.
func (s *statusFile) connected(yes bool, why string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	same := s.now.Connected == yes && s.now.Why == why
	s.mu.Unlock()
	if same {
		return
	}
	s.change(func(v *Status) {
		if v.Connected != yes {
			v.Since = s.clock().UTC()
		}
		v.Connected, v.Why = yes, why
	})
}

// reached notes whether the server answered. Its answer alone makes no connection.
func (s *statusFile) reached(err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	was, lost := s.now.Connected, s.now.Why != "" && s.now.Why != starting
	s.mu.Unlock()
	switch {
	case err != nil:
		s.connected(false, messageOf(err))
	case !was && lost:
		s.connected(true, "")
	}
}

// offered notes the server's version where it is newer than this program's.
func (s *statusFile) offered(version, ours string) {
	if !NewerVersion(version, ours) {
		version = ""
	}
	if s == nil {
		return
	}
	s.mu.Lock()
	same := s.now.Newer == version
	s.mu.Unlock()
	if !same {
		s.change(func(v *Status) { v.Newer = version })
	}
}

// idle reports whether no app works on a message.
func (s *statusFile) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.now.Working) == 0
}

const starting = "It is starting."

func messageOf(err error) string {
	var e *domain.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

func (s *statusFile) begins(t *supernode.Task, name string) (ended func()) {
	s.change(func(v *Status) {
		v.Working = append(v.Working,
			Work{Run: t.RunID, Name: name, Round: t.Round, Type: t.MessageType, Since: s.clock().UTC(), message: t.MessageID})
	})
	return func() {
		s.change(func(v *Status) {
			v.Working = slices.DeleteFunc(v.Working, func(w Work) bool { return w.message == t.MessageID })
		})
	}
}

// Status returns what the agent says of itself, or what it said last.
func (m Machine) Status() (Status, error) {
	var s Status
	f, err := openfile.Regular(home(m.Dir).statusFile())
	if errors.Is(err, os.ErrNotExist) {
		return Status{Why: "The agent has not run yet.", Working: []Work{}}, nil
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&s); err != nil {
		return s, domain.Errorf(domain.Invalid, "%s cannot be read.", f.Name()).Fix("Start the agent again.").Because(err)
	}
	if m.Running() {
		return s, nil
	}
	s.Working = []Work{}
	if s.Connected || s.Why == "" || s.Why == starting {
		s.Why = "The agent does not run."
	}
	s.Connected = false
	return s, nil
}
