package nodes

import (
	"maps"
	"slices"
	"sync"
)

// Signal names the federations whose keys or SuperLink changed. None is lost while no [Sync] runs. It is safe for concurrent use.
type Signal struct {
	poke chan struct{}

	mu      sync.Mutex
	changed map[int64]bool
}

// NewSignal returns a signal without federations.
func NewSignal() *Signal { return &Signal{poke: make(chan struct{}, 1), changed: map[int64]bool{}} }

// Changed makes the federation's nodes be compared with its keys. It returns at once.
func (s *Signal) Changed(fedID int64) {
	s.mu.Lock()
	s.changed[fedID] = true
	s.mu.Unlock()
	select {
	case s.poke <- struct{}{}:
	default: // one waits already
	}
}

func (s *Signal) take() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Collect(maps.Keys(s.changed))
	clear(s.changed)
	return all
}
