package charts

import (
	"context"
	"strconv"

	"blossomtune/internal/domain"
)

// charted is what one chart draws: a metric, or a list of which every element is stored as a metric.
type charted struct {
	domain.MetricName
	list bool
}

func (c charted) key() string {
	key := string(c.Phase) + " " + c.Name
	if c.list {
		key += " []"
	}
	return key
}

// chartedOf puts the elements of each list into one chart, in the order of the names. A list has its first element.
func chartedOf(names []domain.MetricName) (out []charted) {
	lists, seen := map[domain.MetricName]bool{}, map[charted]bool{}
	for _, n := range names {
		if list, at, ok := domain.ListElement(n.Name); ok && at == 0 {
			lists[domain.MetricName{Phase: n.Phase, Name: list}] = true
		}
	}
	for _, n := range names {
		c := charted{MetricName: n}
		if of := (domain.MetricName{Phase: n.Phase, Name: domain.WholeName(n.Name)}); of != n && lists[of] {
			c = charted{of, true}
		}
		if !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}

// listSeries is a list-valued metric as its newest round has it: its points are elements, not rounds. The first round's line goes with it,
// so that one sees which elements have changed. It has no points where nothing has changed since the last question.
func (s *Pages) listSeries(ctx context.Context, run domain.Run, of domain.MetricName, from, to int, q chartQuery) (chartSeries, error) {
	one := chartSeries{Phase: string(of.Phase), Name: of.Name, List: true, Rounds: []int{}}
	round, bands, err := s.Runs.ListBands(ctx, run, of, to)
	if err != nil {
		return one, err
	}
	fresh := q.after == 0
	for _, b := range bands {
		fresh = fresh || b.Upto > q.after
	}
	if !fresh || len(bands) == 0 || round < from {
		return one, nil
	}
	one.Round = round
	one.addBands(bands, func(b domain.Band) int { _, i, _ := domain.ListElement(b.Name); return i })
	if err := s.addFirst(ctx, run, of, from, &one); err != nil {
		return one, err
	}
	nodes := q.nodes
	if q.rank != "" {
		if nodes, err = s.Runs.RankedLists(ctx, run, round, of, q.rank == "high", ranked); err != nil {
			return one, err
		}
	}
	for _, id := range nodes {
		ms, err := s.Runs.ListOfNode(ctx, run, id, of, round)
		if err != nil {
			return one, err
		}
		p := chartPerson{Node: strconv.FormatUint(id, 10), Rounds: []int{}}
		for _, m := range ms {
			_, i, _ := domain.ListElement(m.Name)
			p.Rounds, p.Values = append(p.Rounds, i), append(p.Values, chartNumber{&m.Value})
		}
		one.People = append(one.People, p)
	}
	return one, nil
}

// addFirst adds the line of the first round that the page looks at, where the list was measured then.
func (s *Pages) addFirst(ctx context.Context, run domain.Run, of domain.MetricName, from int, one *chartSeries) error {
	first, bands, err := s.Runs.ListBands(ctx, run, of, max(from, 1))
	if err != nil || len(bands) == 0 || first >= one.Round {
		return err
	}
	values := map[int]*float64{}
	for _, b := range bands {
		_, i, _ := domain.ListElement(b.Name)
		for _, v := range []*float64{b.Whole, b.Weighted, b.Median} {
			if v != nil && values[i] == nil {
				values[i] = v
			}
		}
	}
	one.First = &first
	for _, i := range one.Rounds {
		one.Before = append(one.Before, chartNumber{values[i]})
	}
	return nil
}
