package watch

import (
	"context"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

// Pace is how a running run advances.
type Pace struct {
	Left time.Duration // until it has done all its rounds; 0 while that cannot be told
	Slow bool          // the round takes longer than the ones before let expect
}

const (
	paceRounds = 5 // rounds that a pace is taken from
	slowFactor = 2 // a round that takes this many times the median is slow
)

// Pace estimates from the last rounds how long a run will still take. It can tell from the second round on, where the number of
// rounds is known.
func (s *Reader) Pace(ctx context.Context, run domain.Run) (Pace, error) {
	if !paced(run) {
		return Pace{}, nil
	}
	spans, err := s.RoundSpans(ctx, run, paceFrom(run))
	return paceOf(spans, run.Rounds, s.f.Clock()), err
}

func paced(run domain.Run) bool   { return run.State == domain.Running && run.Round >= 2 }
func paceFrom(run domain.Run) int { return max(run.Round-paceRounds, 1) }

func paceOf(spans []domain.RoundSpan, rounds int, now time.Time) Pace {
	var took []time.Duration
	for i := 1; i < len(spans); i++ {
		if spans[i].Round == spans[i-1].Round+1 {
			took = append(took, spans[i].FirstAsk.Sub(spans[i-1].FirstAsk))
		}
	}
	if len(took) == 0 {
		return Pace{}
	}
	took = took[max(len(took)-paceRounds, 0):]
	slices.Sort(took)
	usual := took[len(took)/2]
	if len(took)%2 == 0 {
		usual = (took[len(took)/2-1] + usual) / 2
	}
	last := spans[len(spans)-1]
	so := now.Sub(last.FirstAsk)
	p := Pace{Slow: so > slowFactor*usual && so > time.Second}
	if left := rounds - last.Round + 1; left > 0 {
		p.Left = max(time.Duration(left)*usual-min(so, usual), time.Second)
	}
	return p
}
