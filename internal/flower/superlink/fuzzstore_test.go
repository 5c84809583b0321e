package superlink

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"unicode/utf8"

	"blossomtune/internal/domain"
)

// memory is a store for fuzzing. Like PostgreSQL it refuses text that is not UTF-8 or holds NUL.
type memory struct {
	mu      sync.Mutex
	nodes   map[uint64]NodeRow
	runs    map[uint64]RunRow
	fabs    map[string][]byte
	letters map[string]LetterRow
	objects map[string]ObjectRow
}

func newMemory() *memory {
	return &memory{nodes: map[uint64]NodeRow{}, runs: map[uint64]RunRow{}, fabs: map[string][]byte{}, letters: map[string]LetterRow{},
		objects: map[string]ObjectRow{}}
}

func (m *memory) clone() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{nodes: maps.Clone(m.nodes), runs: maps.Clone(m.runs), fabs: m.fabs, letters: maps.Clone(m.letters),
		objects: maps.Clone(m.objects)}
}

func (m *memory) Load(context.Context) (s Snapshot, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.nodes {
		s.Nodes = append(s.Nodes, n)
	}
	for _, r := range m.runs {
		s.Runs = append(s.Runs, r)
	}
	for _, c := range m.letters {
		s.Letters = append(s.Letters, c)
	}
	for _, o := range m.objects {
		s.Objects = append(s.Objects, ObjectRow{ID: o.ID, Size: o.Size})
	}
	return s, nil
}

func (m *memory) Commit(_ context.Context, changes []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		switch c := c.(type) {
		case NodeRow:
			m.nodes[c.ID] = c
		case RunRow:
			if err := text(c.Key, c.SubStatus, c.Details); err != nil {
				return err
			}
			m.runs[c.ID] = c
		case FABRow:
			m.fabs[c.Hash] = c.Content
		case LetterRow:
			if err := text(c.ID, c.ReplyTo); err != nil {
				return err
			}
			m.letters[c.ID] = c
		case ObjectRow:
			if err := text(c.ID); err != nil {
				return err
			}
			m.objects[c.ID] = c
		case DropLetter:
			delete(m.letters, string(c))
		case DropObject:
			delete(m.objects, string(c))
		}
	}
	return nil
}

func text(values ...string) error {
	for _, v := range values {
		if !utf8.ValidString(v) || strings.Contains(v, "\x00") {
			return fmt.Errorf("no database takes the text %.40q", v)
		}
	}
	return nil
}

func (m *memory) Object(_ context.Context, id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.objects[id]; ok {
		return o.Content, nil
	}
	return nil, domain.Errorf(domain.NotFound, "no object %.8s", id)
}

func (m *memory) FAB(_ context.Context, hash string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.fabs[hash]; ok {
		return f, nil
	}
	return nil, domain.Errorf(domain.NotFound, "no FAB %.8s", hash)
}
