package domain

// Observation is what the Runtime proxy saw in one proxied request; it is stored in one transaction before the ServerApp
// gets its answer.
type Observation struct {
	FederationID int64
	EngineRunID  uint64
	Exchanges    []Exchange
	Metrics      []Metric
	Dropped      int // metrics of the same reply that its limits left out
}

// Empty reports whether there is nothing to store.
func (o Observation) Empty() bool {
	return len(o.Exchanges) == 0 && len(o.Metrics) == 0 && o.Dropped == 0
}
