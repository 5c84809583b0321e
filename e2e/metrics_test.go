package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An app that logs nothing, names no round, and measures in lists, in several records and in a config: its rounds come from what it asks,
// every name means one record, a list is one chart, and what a config only repeats is left out.
func TestAnAppThatSaysNothingIsMeasured(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	s.approved("One").join()
	s.approved("Two").join()
	r := s.becomes(s.launch(s.app("measures"), nil).Name, "completed", 3*time.Minute)
	if r.Round != 3 || r.Rounds != 3 {
		t.Errorf("round %d of %d, want 3 of 3", r.Round, r.Rounds)
	}
	values := map[string][]float64{}
	for _, m := range s.metrics(r.Name) {
		if key := m.Phase + " " + m.Name; !strings.Contains(key, "[") && !slices.Contains(values[key], *m.Value) {
			values[key] = append(values[key], *m.Value)
		}
	}
	for _, v := range values {
		slices.Sort(v)
	}
	want := map[string][]float64{"train train-metrics.loss": {0.5}, "train system.loss": {99}, "train num-examples": {10, 30}, "train batches": {7}, "train took": {0.25},
		"evaluate num-examples": {5}}
	if d := cmp.Diff(want, values); d != "" {
		t.Error(d)
	}
	cookie := s.signIn()
	f := s.charts(cookie, r.Name)
	list := f.of("evaluate", "per_class")
	if !list.List || list.Round != 3 || len(list.Rounds) != 100 || list.Rounds[99] != 99 || list.Weighted[1] != 0.6 || f.Metrics != 7 {
		t.Errorf("%d charts; the list: %+v", f.Metrics, list)
	}
	if want := int64(3 * 2 * 30); f.Dropped != want {
		t.Errorf("%d numbers are said to be left out, want %d", f.Dropped, want)
	}
	if loss := f.of("train", "train-metrics.loss"); len(loss.Rounds) != 3 || loss.Weighted[0] == nil {
		t.Errorf("the loss is charted as %+v", loss)
	}
	s.exports(cookie, r.Name)
}
