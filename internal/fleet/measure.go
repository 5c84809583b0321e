package fleet

import (
	"path"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	callSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{Name: "blossomtune_gateway_call_seconds",
		Help:    "Time to answer calls of SuperNodes, by call and result, without the time that an empty poll is held open.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"call", "result"})
	heldPolls = promauto.NewGauge(prometheus.GaugeOpts{Name: "blossomtune_gateway_held_polls",
		Help: "Polls of SuperNodes that are held open now."})
)

// holding notes that a call is held open until the returned function is called.
func (c *call) holding() (ended func()) {
	began := time.Now()
	heldPolls.Inc()
	return func() {
		heldPolls.Dec()
		c.waited.Add(int64(time.Since(began)))
	}
}

// measure notes how long a call took.
func (c *call) measure(began time.Time, err error) {
	name, result := path.Base(c.meth.path), "forwarded"
	if c.meth.path == "" {
		name = "unknown"
	}
	if err != nil {
		result = "refused"
	}
	callSeconds.WithLabelValues(name, result).Observe((time.Since(began) - time.Duration(c.waited.Load())).Seconds())
}
