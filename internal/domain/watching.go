package domain

import "time"

// Limits of what is kept of one run's metrics; what is left out is counted and said.
const (
	MaxMetrics      = 5_000_000 // of SuperNodes
	MaxLogMetrics   = 500_000   // of the ServerApp's log
	MaxMetricNames  = 200       // different names, of SuperNodes and of the log each; a list has one
	MaxReplyMetrics = 2_000     // of one reply
	MaxMetricName   = 200       // bytes of a name
	MaxSettings     = 50        // of those names, how many may come from ConfigRecords of replies
)

// MetricMeter is how many of a run's metrics are kept and how many the limits left out.
type MetricMeter struct {
	Kept, Dropped int64
	Newest        int64 // the id of the newest metric; 0 without one
	Rolled        int64 // the bands hold the metrics up to this id
}

// Band is what one metric of one round comes to over all SuperNodes.
type Band struct {
	Round             int
	Phase             Phase
	Name              string
	Upto              int64    // the id of the newest metric in it
	Nodes             int      // SuperNodes that sent it
	Odd               int      // those of them that sent NaN or an infinity; Low, Median and High leave them out
	Low, Median, High *float64 // nil without a finite value
	Mean              *float64 // of the finite values, each counted once; nil without one
	Weighted          *float64 // our mean, weighted by num-examples; nil where somebody sent no number of examples, or no finite value
	Whole             *float64 // the app's own aggregate, or the ServerApp's evaluation; may be NaN or infinite; nil without one
}

// MetricName names one metric of a run.
type MetricName struct {
	Phase Phase
	Name  string
}

// BandQuery chooses bands of one metric.
type BandQuery struct {
	MetricName
	After    int64 // only what has changed since the metric with this id; 0: all
	From, To int   // rounds; To 0: no end
	// Size sums up so many rounds in one: the lowest and the highest of them all, everything else of the last one. 0: each round.
	Size int
}

// Timing is what the gateway saw of one message on its way to a SuperNode and back. Times that are not known are zero.
type Timing struct {
	FederationID int64
	EngineRunID  uint64
	MessageID    string
	NodeID       uint64
	TakenAt      time.Time // the SuperNode got the message
	GetAt        time.Time // it asked for the first object
	GotAt        time.Time // it confirmed that it has all of them
	PutAt        time.Time // it announced its reply
	SentAt       time.Time // the last object of the reply so far
	Reply        string    // the root object of the reply that it announced last
	Up, Down     int64     // bytes since the last time this was stored
}

// Passage is an exchange with what the gateway saw of it.
type Passage struct {
	Exchange
	TakenAt, GetAt, GotAt, PutAt, SentAt time.Time
}

// RoundSpan is when a round's messages went out and their replies came in.
type RoundSpan struct {
	Round     int
	FirstAsk  time.Time
	LastReply time.Time // zero without one
}

// Traffic is what went between the gateway and a SuperNode because of a run.
type Traffic struct {
	NodeID   uint64
	Up, Down int64
}

// Presence says that a SuperNode came online or went offline.
type Presence struct {
	FederationID int64
	NodeID       uint64
	At           time.Time
	Online       bool
}

// Cell is the worst that happened to a SuperNode in some rounds of a run.
type Cell string

// Cells, from the best to the worst.
const (
	CellNotAsked  Cell = ""
	CellEvaluated Cell = "evaluated"
	CellTrained   Cell = "trained" // and not evaluated
	CellAsked     Cell = "asked"   // a reply is still to come
	CellOffline   Cell = "offline" // not asked, because it was not there
	CellNoReply   Cell = "noreply"
	CellFailed    Cell = "failed"
)

// RoundActivity is when something happened in a run's newest round; zero times where nothing did.
type RoundActivity struct {
	Began time.Time // when its first message was sent
	Last  time.Time // when its last message was sent, or its last reply came
}
