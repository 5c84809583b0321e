package web

import (
	"math"
	"net/http"
	"strconv"
)

// chartMetric is a metric for the charts. JSON has no NaN and no infinities: those are text.
type chartMetric struct {
	ID    int64    `json:"id"`
	Round int      `json:"round"`
	Phase string   `json:"phase"`
	Node  string   `json:"node"` // "0": the whole federation
	Name  string   `json:"name"`
	Value *float64 `json:"value,omitempty"`
	Text  string   `json:"text,omitempty"`
}

func (s *server) runMetrics(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	all, err := s.Runs.Metrics(r.Context(), run, after)
	if err != nil {
		return err
	}
	keys, err := s.Onboarding.NodeKeys(r.Context(), v.fed.ID)
	if err != nil {
		return err
	}
	out := make([]chartMetric, len(all))
	for i, m := range all {
		out[i] = chartMetric{ID: m.ID, Round: m.Round, Phase: string(m.Phase), Node: strconv.FormatUint(m.NodeID, 10), Name: m.Name}
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			out[i].Text = num(m.Value)
		} else {
			out[i].Value = &m.Value
		}
	}
	return writeJSON(w, r, map[string]any{"nodes": nodeLabels(keys), "metrics": out})
}
