package fleetload

import (
	"maps"
	"time"
)

// lapse is how long a server keeps a node online without a heartbeat: two intervals.
const lapse = 2 * beatInterval * time.Second

// Report is what a fleet experienced.
type Report struct {
	Nodes   int    `json:"nodes"`
	Online  int    `json:"online"`             // activated, not left, and with an answered heartbeat within the last 30 s
	Missing int    `json:"missing"`            // the others
	Left    int    `json:"left"`               // gave up, as flwr's SuperNode does after 401 or 500
	Lapsed  int    `json:"lapsed"`             // were without an answered heartbeat for more than 60 s at least once
	LeftWhy string `json:"left_why,omitempty"` // the reason of one of those

	Heartbeats Heartbeats `json:"heartbeats"`
	Polls      int64      `json:"polls"`
	EmptyPolls int64      `json:"empty_polls"` // answered without a message
	Messages   int64      `json:"messages"`
	Replies    int64      `json:"replies"` // whose objects are all pushed
	Lost       int64      `json:"lost"`    // messages or replies that were given up

	ObjectsPulled int64 `json:"objects_pulled"`
	ObjectsPushed int64 `json:"objects_pushed"`
	WrongObjects  int64 `json:"wrong_objects"` // whose content has another hash

	Calls    map[string]int64 `json:"calls"`              // by name
	Failures map[string]int64 `json:"failures,omitempty"` // by name and status, or timeout, refused, handshake, broken
	Retries  int64            `json:"retries"`
	Phases   []Phase          `json:"phases,omitempty"`

	BytesSent     int64   `json:"bytes_sent"` // on the network, with TLS
	BytesReceived int64   `json:"bytes_received"`
	Seconds       float64 `json:"seconds"`
	CPUSeconds    float64 `json:"cpu_seconds"` // of this process
}

// Heartbeats are those of all nodes; times are in milliseconds, of answered ones.
type Heartbeats struct {
	Sent     int64   `json:"sent"`
	Answered int64   `json:"answered"`
	Stopped  int64   `json:"stopped"` // nodes that send no more, as flwr's do after an answer like 500
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// Report returns what the fleet has experienced so far.
func (f *Fleet) Report() *Report { return f.report() }

// ForgetTimes makes the report tell of the times of those heartbeats alone that are answered from now on. The counts stay.
func (f *Fleet) ForgetTimes() { f.stats.beatTimes.reset() }

func (f *Fleet) report() *Report {
	s, now := f.stats, time.Now()
	r := &Report{Nodes: len(f.nodes), Polls: s.polls.Load(), EmptyPolls: s.empty.Load(),
		Messages: s.pulledMessages.Load(), Replies: s.replies.Load(), Lost: s.lost.Load(),
		ObjectsPulled: s.objectsIn.Load(), ObjectsPushed: s.objectsOut.Load(), WrongObjects: s.wrong.Load(),
		Retries: s.retries.Load(), Phases: s.listPhases(),
		BytesSent: f.count.sent.Load(), BytesReceived: f.count.received.Load(), Seconds: now.Sub(f.began).Seconds(),
		CPUSeconds: (cpuTime() - f.cpu).Seconds(),
		Heartbeats: Heartbeats{Sent: s.beats.Load(), Answered: s.beatsOK.Load(), Stopped: s.beatsStopped.Load(),
			P50: s.beatTimes.quantile(0.5),
			P99: s.beatTimes.quantile(0.99), Max: float64(s.beatTimes.most.Load()) / 1e6}}
	for _, n := range f.nodes {
		n.mu.Lock()
		silent := now.Sub(n.heard)
		if n.left != nil {
			r.Left, r.LeftWhy = r.Left+1, n.left.Error()
		} else if n.active && silent <= beatInterval*time.Second {
			r.Online++
		}
		if n.active && max(n.gap, silent) > lapse {
			r.Lapsed++
		}
		n.mu.Unlock()
	}
	r.Missing = r.Nodes - r.Online
	s.mu.Lock()
	r.Calls, r.Failures = maps.Clone(s.calls), maps.Clone(s.fails)
	s.mu.Unlock()
	return r
}
