package domain

// Observation is what the Runtime proxy saw in one proxied request; it is stored in one transaction before the ServerApp
// gets its answer.
type Observation struct {
	Exchanges []Exchange
	Metrics   []Metric
}

// Empty reports whether there is nothing to store.
func (o Observation) Empty() bool { return len(o.Exchanges) == 0 && len(o.Metrics) == 0 }
