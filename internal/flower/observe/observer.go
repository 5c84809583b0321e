// Package observe reads what passes between one run's ServerApp and its SuperLink: which SuperNodes the ServerApp asks, in which round,
// and what their replies measure. That is exactly what the ServerApp aggregates, of any unmodified Flower App.
//
// What is read is stored before the ServerApp gets the answer that lets it continue. The SuperLink in the keeper calls an [Observer] from
// its Runtime API; for Flower's own SuperLink package runtimeproxy does.
package observe

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
	"blossomtune/internal/logmask"
)

// Sink stores what was observed. The keeper's is the database.
type Sink interface {
	Record(ctx context.Context, o domain.Observation) error
}

// Sign is something that a ServerApp's requests tell about its life.
type Sign string

// Signs of life, each told at its first time, but the output at each.
const (
	SignRequest   Sign = "request"   // the process reached the Runtime API
	SignInput     Sign = "input"     // it has its FAB and config
	SignHeartbeat Sign = "heartbeat" // it runs
	SignOutput    Sign = "output"    // it has ended and said how
)

// Options are what an Observer needs.
type Options struct {
	FederationID int64
	EngineRunID  uint64
	Sink         Sink
	Clock        domain.Clock
	Logger       *slog.Logger
	// OnSign is called, never concurrently, when the ServerApp gives a sign; for SignOutput with Flower's sub-status and
	// details. It must return at once. It may be nil.
	OnSign func(sign Sign, subStatus, details string)
	// OnShapes is called, before a sign that it failed, with how the arrays of the newest replies are made. It must return at
	// once. It may be nil.
	OnShapes func(domain.Shapes)
	// OnPushed is called when messages for SuperNodes, with all that belongs to them, have reached the SuperLink: who waits
	// for some may look now. It must return at once. It may be nil.
	OnPushed func()
	// StoreWait bounds how long an answer is held back while the Sink fails; 0 means 30 s.
	StoreWait time.Duration
}

// Observer is what is known of one run. It is safe for concurrent use. Methods that store report whether they could: after false, the
// call must be answered so that the ServerApp repeats it.
type Observer struct {
	o      Options
	memo   *memory
	shapes *shapes

	collecting sync.Mutex      // held while replies are stored, so that none is handed out before it is
	collected  map[string]bool // replies that are stored and not confirmed

	mu    sync.Mutex
	signs map[Sign]bool
}

// New returns the Observer of one run.
func New(o Options) *Observer {
	if o.StoreWait == 0 {
		o.StoreWait = 30 * time.Second
	}
	return &Observer{o: o, memo: newMemory(), shapes: newShapes(), signs: map[Sign]bool{}, collected: map[string]bool{}}
}

// RunID returns the run's number at the SuperLink.
func (o *Observer) RunID() uint64 { return o.o.EngineRunID }

// Sign notes a sign of the ServerApp's life. SignOutput is given by [Observer.Output].
func (o *Observer) Sign(s Sign) { o.sign(s, "", "") }

func (o *Observer) sign(s Sign, subStatus, details string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.signs[s] && s != SignOutput {
		return
	}
	o.signs[s] = true
	if o.o.OnSign != nil {
		o.o.OnSign(s, subStatus, details)
	}
}

const failed = "failed" // flwr's sub-status

// Output notes how a ServerApp says that it ended. It must be called before the SuperLink takes that: whoever sees the run ended there
// then knows it here. It masks the secrets in the ServerApp's words.
func (o *Observer) Output(in *flwrpb.PushTaskOutputRequest) {
	in.Details = mask(in.GetDetails())
	if o.o.OnShapes != nil && in.GetSubStatus() == failed {
		o.o.OnShapes(o.shapes.told())
	}
	o.sign(SignOutput, cut(in.GetSubStatus(), 64), cut(in.GetDetails(), maxError))
}

// mask masks the secrets in the words of the exception that ended a ServerApp.
func mask(details string) string {
	masked := logmask.Text(details)
	if masked == details {
		return details
	}
	return strings.ToValidUTF8(masked, "?")
}

// store holds the call until what was seen is stored. It reports false when it could not be.
func (o *Observer) store(ctx context.Context, seen domain.Observation) bool {
	if seen.Empty() {
		return true
	}
	now := o.o.Clock().UTC()
	seen.FederationID, seen.EngineRunID = o.o.FederationID, o.o.EngineRunID
	for i := range seen.Exchanges {
		seen.Exchanges[i].FederationID, seen.Exchanges[i].EngineRunID = o.o.FederationID, o.o.EngineRunID
	}
	for i := range seen.Metrics {
		seen.Metrics[i].FederationID, seen.Metrics[i].EngineRunID, seen.Metrics[i].At = o.o.FederationID, o.o.EngineRunID, now
	}
	// What has been seen is stored even if the ServerApp has gone away meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.o.StoreWait)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := o.o.Sink.Record(ctx, seen)
		if err == nil {
			o.memo.stored(seen.Exchanges)
			return true
		}
		o.o.Logger.Error("storing what a ServerApp received", "run", o.o.EngineRunID, "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}
