package runs

import (
	"cmp"
	"math"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
)

// listMark ends the name under which the mean of a list's elements is compared.
const listMark = "[]"

// collapsed puts one value in place of the elements of a list in a round: their mean. It is NaN where one of them is.
func collapsed(ms []domain.Metric) (out []domain.Metric) {
	type place struct {
		phase domain.Phase
		name  string
		round int
	}
	at, count := map[place]int{}, map[place]float64{}
	for _, m := range ms {
		list, _, ok := domain.ListElement(m.Name)
		if !ok {
			out = append(out, m)
			continue
		}
		p := place{m.Phase, list, m.Round}
		i, known := at[p]
		if !known {
			at[p] = len(out)
			m.Name = list + listMark
			out = append(out, m)
			count[p] = 1
			continue
		}
		count[p]++
		out[i].Value += (m.Value - out[i].Value) / count[p]
	}
	return out
}

// compareLists adds a series for each list of a run, as its newest round has it.
func compareLists(all map[string]*compareSeries, r runs.Curves) {
	newest := map[domain.MetricName]int{}
	for _, m := range r.Metrics {
		if list, _, ok := domain.ListElement(m.Name); ok {
			of := domain.MetricName{Phase: m.Phase, Name: list}
			newest[of] = max(newest[of], m.Round)
		}
	}
	for _, m := range r.Metrics {
		list, index, ok := domain.ListElement(m.Name)
		of := domain.MetricName{Phase: m.Phase, Name: list}
		if !ok || newest[of] != m.Round {
			continue
		}
		key := turnKey(domain.RunColumn{Phase: m.Phase, Name: list + listMark})
		if all[key] == nil {
			all[key] = &compareSeries{Phase: string(m.Phase), Name: list, List: true, Runs: map[string][]comparePart{}, At: map[string]int{}}
		}
		one := all[key]
		one.Mean = one.Mean || r.Means[domain.RunColumn{Phase: m.Phase, Name: m.Name}]
		one.At[r.Run.Name] = m.Round
		one.Runs[r.Run.Name] = append(one.Runs[r.Run.Name], partOf(index, 0, m.Value))
	}
	for _, one := range all {
		if one.List {
			slices.SortFunc(one.Runs[r.Run.Name], func(a, b comparePart) int { return cmp.Compare(a.Round, b.Round) })
		}
	}
}

func partOf(round int, seconds, value float64) comparePart {
	p := comparePart{Round: round, Seconds: seconds}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		p.Text = ui.Num(value)
	} else {
		p.Value = &value
	}
	return p
}
