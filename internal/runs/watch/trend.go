package watch

import (
	"context"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// Trend is the way of a run's main metric over its last rounds.
type Trend struct {
	domain.MetricName // empty without one
	Points            []TrendPoint
}

// TrendPoint is a round's value for the whole federation: the app's own where it tells one, else our mean by num-examples, else the plain one.
type TrendPoint struct {
	Round int
	Value float64
}

// trendRounds is how many rounds a trend goes back.
const trendRounds = 40

// Progress is how a run advances: its pace, and the way of its main metric.
type Progress struct {
	Pace  Pace
	Trend Trend
}

// Progress says how runs advance, by their ids. What several runs need is read at once, in the caller's transaction.
func (s *Reader) Progress(ctx context.Context, tx Tx, all []domain.Run) (map[int64]Progress, error) {
	var paces, known, parts []domain.RunPart
	for _, r := range all {
		if paced(r) {
			paces = append(paces, domain.RunPart{Run: r, From: paceFrom(r)})
		}
		if r.EngineRunID != 0 {
			known = append(known, domain.RunPart{Run: r})
		}
	}
	spans, err := tx.SpansOf(ctx, paces)
	if err != nil {
		return nil, err
	}
	names, err := tx.NamesOf(ctx, known)
	if err != nil {
		return nil, err
	}
	main := map[int64]domain.MetricName{}
	for _, p := range known {
		if name, has := mainMetric(names[p.Run.ID]); has {
			main[p.Run.ID] = name
			parts = append(parts, domain.RunPart{Run: p.Run, MetricName: name, From: max(p.Run.Round-trendRounds, 0)})
		}
	}
	bands, err := tx.BandsOf(ctx, parts)
	out := make(map[int64]Progress, len(all))
	for _, r := range all {
		out[r.ID] = Progress{paceOf(spans[r.ID], r.Rounds, s.f.Clock()), Trend{main[r.ID], trendOf(bands[r.ID])}}
	}
	return out, err
}

func trendOf(bands []domain.Band) (out []TrendPoint) {
	for _, b := range bands {
		for _, v := range []*float64{b.Whole, b.Weighted, b.Mean} {
			if v != nil {
				out = append(out, TrendPoint{b.Round, *v})
				break
			}
		}
	}
	return out
}

// mainMetric is the one that tells most of a run: of what the ServerApp itself evaluates, else of the participants' evaluation, else
// of training, an accuracy, else a loss, else the first by name. Lists and numbers of examples are none.
func mainMetric(names []domain.MetricName) (domain.MetricName, bool) {
	names = slices.DeleteFunc(slices.Clone(names), func(n domain.MetricName) bool { return domain.IsExamples(n.Name) || domain.WholeName(n.Name) != n.Name })
	if len(names) == 0 {
		return domain.MetricName{}, false
	}
	slices.SortStableFunc(names, func(a, b domain.MetricName) int { return domain.ComparePhases(a.Phase, b.Phase) })
	phase := names[0].Phase
	for _, like := range []string{"acc", "loss"} {
		for _, n := range names {
			if n.Phase == phase && strings.Contains(strings.ToLower(n.Name), like) {
				return n, true
			}
		}
	}
	return names[0], true
}
