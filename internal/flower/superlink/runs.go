package superlink

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// run is a run of the federation.
type run struct {
	RunRow
	letters map[string]*letter // messages that the ServerApp may still ask for
	unknown map[string]*letter // replies to messages that are not known, by the names of those
	news    chan struct{}      // closed when a message was answered, or the run has ended
	bytes   int64              // of its objects, with those that are being received
	pending int64              // bytes of its messages and replies, without objects
}

func newRun(row RunRow) *run {
	return &run{RunRow: row, letters: map[string]*letter{}, unknown: map[string]*letter{}, news: make(chan struct{})}
}

func (r *run) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// Order is a run to start.
type Order struct {
	Key     string // the caller's own name of the run: an order with a known key changes nothing
	FAB     []byte
	App     string // publisher/name
	Version string
	Config  []byte // in place of the app's own defaults; from [EncodeConfig]
}

// EncodeConfig encodes the values of a run config: string, int64, float64 or bool. Another type is a [domain.Invalid] error.
func EncodeConfig(config map[string]any) ([]byte, error) {
	scalars, err := wire.Scalars(config)
	if err != nil {
		return nil, err
	}
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(&flwrpb.Run{OverrideConfig: scalars})
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The run config cannot be encoded.").Because(err)
	}
	return out, nil
}

// Start takes a run, which waits for its ServerApp ([Link.Acquire]). It is idempotent for a key that is not empty.
func (l *Link) Start(o Order) (id uint64, err error) {
	if err := proto.Unmarshal(o.Config, &flwrpb.Run{}); err != nil {
		return 0, domain.Errorf(domain.Invalid, "The run config cannot be decoded.").Because(err)
	}
	fab := FABRow{Hash: wire.ObjectID(o.FAB), Content: o.FAB}
	err = l.change(func(now time.Time) ([]Change, error) {
		for _, r := range l.runs {
			if o.Key != "" && r.Key == o.Key {
				id = r.ID
				return nil, nil
			}
		}
		// A run's number is positive as Flower's are, also where somebody reads it as signed.
		for id = number() >> 1; id <= ServerID || l.runs[id] != nil; id = number() >> 1 {
		}
		r := newRun(RunRow{ID: id, Key: o.Key, FABHash: fab.Hash, App: o.App, Version: o.Version, Config: o.Config, Status: Pending,
			PendingAt: now})
		l.runs[id] = r
		return []Change{fab, r.RunRow}, nil
	})
	return id, err
}

// Task is the right to be a run's ServerApp.
type Task struct {
	ID    uint64
	Token string
}

// Acquire gives a new token for the run's ServerApp; an earlier one is void from then on. A run that has ended is a [domain.Conflict].
func (l *Link) Acquire(runID uint64) (t Task, err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	t.Token = hex.EncodeToString(secret)
	sum := sha256.Sum256([]byte(t.Token))
	err = l.change(func(now time.Time) ([]Change, error) {
		r := l.runs[runID]
		if r == nil {
			return nil, domain.Errorf(domain.NotFound, "The SuperLink does not know run %d.", runID)
		}
		if r.Status == Finished {
			return nil, domain.Errorf(domain.Conflict, "Run %d has ended.", runID)
		}
		l.forgetToken(r)
		r.TaskID, r.TokenHash = cmp.Or(r.TaskID, number()>>1), sum[:]
		l.byToken[sum] = r
		if r.Status == Pending {
			r.Status, r.StartingAt = Starting, now
		}
		t.ID = r.TaskID
		return []Change{r.RunRow}, nil
	})
	return t, err
}

func (l *Link) forgetToken(r *run) {
	if len(r.TokenHash) == sha256.Size {
		delete(l.byToken, [sha256.Size]byte(r.TokenHash))
	}
	r.TokenHash = nil
}

// Stop ends a run. One that has ended stays as it is; one that is unknown is a [domain.NotFound].
func (l *Link) Stop(runID uint64) error {
	return l.change(func(now time.Time) ([]Change, error) {
		r := l.runs[runID]
		if r == nil {
			return nil, domain.Errorf(domain.NotFound, "The SuperLink does not know run %d.", runID)
		}
		return l.finish(r, Stopped, "", now), nil
	})
}

// output ends a run as its ServerApp says. As with Flower, a status that does not exist changes nothing, and only a run whose ServerApp
// has its input can be completed.
func (l *Link) output(runID uint64, subStatus, details string) error {
	return l.change(func(now time.Time) ([]Change, error) {
		r := l.runs[runID]
		ends := subStatus == Failed || subStatus == Stopped || subStatus == Completed && r != nil && r.Status == Running
		if r == nil || !ends {
			l.o.Log.Warn("a ServerApp cannot end its run this way", "run", runID)
			return nil, nil
		}
		return l.finish(r, subStatus, details, now), nil
	})
}

// finish ends a run: completed, failed or stopped. Its messages and objects are gone then. One that has ended stays as it is.
func (l *Link) finish(r *run, subStatus, details string, now time.Time) (out []Change) {
	if r.Status == Finished {
		return nil
	}
	for _, m := range r.letters {
		out = append(out, l.drop(m)...)
	}
	for _, c := range r.unknown {
		out = append(out, l.drop(c)...)
	}
	l.forgetToken(r)
	r.Status, r.SubStatus, r.Details, r.FinishedAt = Finished, subStatus, domain.Cut(details, 4096), now
	r.wake()
	return append(out, r.RunRow)
}

// open returns an error unless SuperNodes may work for the run.
func (l *Link) open(runID uint64) error {
	if r := l.runs[runID]; r == nil || r.Status != Running {
		return errNotRunning
	}
	return nil
}

// Runs lists the runs, the newest last.
func (l *Link) Runs() []RunRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]RunRow, 0, len(l.runs))
	for _, r := range l.runs {
		out = append(out, r.RunRow)
	}
	slices.SortFunc(out, func(a, b RunRow) int { return cmp.Or(a.PendingAt.Compare(b.PendingAt), cmp.Compare(a.ID, b.ID)) })
	return out
}

// describe gives a run as Flower tells it to its parts.
func (r *run) describe() *flwrpb.Run {
	out := &flwrpb.Run{}
	if err := proto.Unmarshal(r.Config, out); err != nil {
		out = &flwrpb.Run{} // it was made by Start
	}
	out.RunId, out.FabId, out.FabVersion, out.FabHash = r.ID, r.App, r.Version, r.FABHash
	out.PendingAt, out.StartingAt = stamp(r.PendingAt), stamp(r.StartingAt)
	out.RunningAt, out.FinishedAt = stamp(r.RunningAt), stamp(r.FinishedAt)
	out.Status = &flwrpb.RunStatus{Status: r.Status, SubStatus: r.SubStatus, Details: r.Details}
	out.Federation, out.BytesSent, out.BytesRecv, out.ClientappRuntime = federationName, r.BytesSent, r.BytesReceived, r.ClientSeconds
	out.PrimaryTaskType, out.SeriesId = wire.ServerAppTask, r.ID
	if task := r.TaskID; task != 0 {
		out.PrimaryTaskId = &task
	}
	return out
}

// federationName is the one federation of an open-source SuperLink.
const federationName = "@none/default"

// stamp writes a time as Flower does; the zero time is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000-07:00")
}

// fab returns the content of a run's app.
func (l *Link) fab(ctx context.Context, hash string) (*flwrpb.Fab, error) {
	content, err := l.o.Store.FAB(ctx, hash)
	if err != nil {
		return nil, err
	}
	return &flwrpb.Fab{HashStr: hash, Content: content}, nil
}
