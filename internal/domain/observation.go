package domain

// Observation is what one call of a ServerApp tells; it is stored in one transaction before the ServerApp gets its answer.
type Observation struct {
	FederationID int64
	EngineRunID  uint64
	Exchanges    []Exchange
	Metrics      []Metric
	Dropped      int // metrics that limits left out; then the observation is of one reply
}

// Empty reports whether there is nothing to store.
func (o Observation) Empty() bool {
	return len(o.Exchanges) == 0 && len(o.Metrics) == 0 && o.Dropped == 0
}
