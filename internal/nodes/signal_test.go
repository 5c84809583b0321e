package nodes

import (
	"slices"
	"testing"
)

// What changed before anyone listens is not lost, and is taken once.
func TestASignalLosesNothing(t *testing.T) {
	s := NewSignal()
	for _, fed := range []int64{3, 1, 3, 2} {
		s.Changed(fed)
	}
	<-s.poke
	got := s.take()
	slices.Sort(got)
	if !slices.Equal(got, []int64{1, 2, 3}) || len(s.take()) != 0 {
		t.Errorf("took %v", got)
	}
	s.Changed(4)
	<-s.poke
	if got := s.take(); !slices.Equal(got, []int64{4}) {
		t.Errorf("then %v", got)
	}
}
