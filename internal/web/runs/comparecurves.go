package runs

import (
	"math"
	"net/http"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// compareSeries is one metric of the compared runs for the charts.
type compareSeries struct {
	Phase string                   `json:"phase"`
	Name  string                   `json:"name"`
	Mean  bool                     `json:"mean,omitempty"`
	List  bool                     `json:"list,omitempty"` // in the newest round of each run; "round" is the element
	Runs  map[string][]comparePart `json:"runs"`           // by Run ID
	At    map[string]int           `json:"at,omitempty"`   // of a list: the round by Run ID
}

// comparePart is one value; JSON has no NaN and no infinities: those are text.
type comparePart struct {
	Round   int      `json:"round"`
	Seconds float64  `json:"seconds"` // since the run began to run
	Value   *float64 `json:"value,omitempty"`
	Text    string   `json:"text,omitempty"`
}

// CompareCurves answers with the curves of the runs that are compared.
func (s *Pages) CompareCurves(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	c, err := s.comparison(r.Context(), v, compareQueryOf(r))
	if err != nil {
		return err
	}
	all := map[string]*compareSeries{}
	for _, r := range c.runs {
		compareLists(all, r)
		from := ui.StartOf(r.Run)
		for _, m := range r.Metrics {
			if domain.IsExamples(m.Name) || domain.WholeName(m.Name) != m.Name {
				continue
			}
			key := turnKey(domain.RunColumn{Phase: m.Phase, Name: m.Name})
			if all[key] == nil {
				all[key] = &compareSeries{Phase: string(m.Phase), Name: m.Name, Runs: map[string][]comparePart{}}
			}
			all[key].Mean = all[key].Mean || r.Means[domain.RunColumn{Phase: m.Phase, Name: m.Name}]
			all[key].Runs[r.Run.Name] = append(all[key].Runs[r.Run.Name], partOf(m.Round, math.Max(m.At.Sub(from).Seconds(), 0), m.Value))
		}
	}
	out := make([]*compareSeries, 0, len(all))
	for _, series := range all {
		out = append(out, series)
	}
	slices.SortFunc(out, func(a, b *compareSeries) int {
		if n := domain.ComparePhases(domain.Phase(a.Phase), domain.Phase(b.Phase)); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	base := ""
	if len(c.runs) > 0 {
		base = c.runs[c.base].Run.Name
	}
	return visit.WriteJSON(w, r, map[string]any{"series": out, "base": base, "runs": c.q.names})
}
