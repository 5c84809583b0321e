package runs

import (
	"fmt"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"

	"github.com/google/go-cmp/cmp"
)

// A list has one row where runs are compared, the mean of its elements, and one chart, its newest round.
func TestAComparedListIsOneRowAndOneChart(t *testing.T) {
	c := runs.Curves{Run: domain.Run{Name: "a"}}
	for round := 1; round <= 2; round++ {
		for i := 2; i >= 0; i-- {
			c.Metrics = append(c.Metrics, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, Name: domain.ElementName("acc", i), Value: float64(round * i)})
		}
		c.Metrics = append(c.Metrics, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, Name: "loss", Value: 0.5})
	}
	var got []string
	for _, m := range collapsed(c.Metrics) {
		got = append(got, fmt.Sprint(m.Round, " ", m.Name, "=", m.Value))
	}
	if d := cmp.Diff([]string{"1 acc[]=1", "1 loss=0.5", "2 acc[]=2", "2 loss=0.5"}, got); d != "" {
		t.Error(d)
	}
	all := map[string]*compareSeries{}
	compareLists(all, c)
	one := all["evaluate.acc[]"]
	if len(all) != 1 || one == nil || !one.List || one.At["a"] != 2 || len(one.Runs["a"]) != 3 || one.Runs["a"][2].Round != 2 || *one.Runs["a"][2].Value != 4 {
		t.Errorf("%v %+v", all, one)
	}
}
