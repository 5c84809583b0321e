package runtimeproxy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/observe"
	"blossomtune/internal/store"
)

// sink keeps what it is given, or does what a test wants.
type sink struct {
	mu      sync.Mutex
	all     []domain.Observation
	failing int                        // so many calls fail; -1: all
	entered func(o domain.Observation) // called first; may be nil
}

var errSink = errors.New("the database is away")

func (s *sink) Record(_ context.Context, o domain.Observation) error {
	if s.entered != nil {
		s.entered(o)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != 0 {
		s.failing--
		return errSink
	}
	s.all = append(s.all, o)
	return nil
}

func (s *sink) fail(times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = times
}

// metrics returns all metrics in the order of their arrival.
func (s *sink) metrics() (out []domain.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		out = append(out, o.Metrics...)
	}
	return out
}

func (s *sink) exchanges() (out []domain.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		out = append(out, o.Exchanges...)
	}
	return out
}

const (
	federationID = 3
	engineRunID  = 7
)

func options(to observe.Sink, run uint64, upstream *url.URL) Options {
	log := slog.New(slog.DiscardHandler)
	seen := observe.New(observe.Options{FederationID: federationID, EngineRunID: run, Sink: to, Clock: time.Now, Logger: log,
		StoreWait: 300 * time.Millisecond})
	return Options{Observer: seen, Upstream: upstream, Transport: &http.Transport{DisableCompression: true}, Clock: time.Now, Logger: log}
}

// rig is a fake SuperLink, a real proxy in front of it, and a fake ServerApp.
type rig struct {
	link  *superlink
	sink  *sink
	proxy *Proxy
	app   *serverApp
}

func newRig(t *testing.T, steps []step) *rig {
	t.Helper()
	r := &rig{link: newSuperlink(t), sink: &sink{}}
	r.link.script(steps)
	r.proxy = New(options(r.sink, engineRunID, serve(t, r.link)))
	r.app = newServerApp(t, serve(t, r.proxy))
	return r
}

// rows is what a store has of a run, without the times, which differ between runs.
type rows struct {
	Metrics   []measured
	Exchanges []exchanged
}

type exchanged struct {
	Message        string
	Round          int
	Phase          domain.Phase
	Node           uint64
	Asked, Replied bool
	Failed         bool
	Error          string
}

func byKey(a, b measured) int {
	return cmp.Or(cmp.Compare(a.Round, b.Round), cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Name, b.Name))
}

func stored(t *testing.T, db *store.DB, run uint64) (out rows) {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		ms, err := tx.Metrics(t.Context(), federationID, run, 0, 0)
		if err != nil {
			return err
		}
		for _, m := range ms {
			out.Metrics = append(out.Metrics, measured{m.Round, m.Phase, m.NodeID, m.Name, m.Value})
		}
		return tx.EachExchange(t.Context(), federationID, run, func(e domain.Exchange) error {
			out.Exchanges = append(out.Exchanges, exchanged{e.MessageID, e.Round, e.Phase, e.NodeID, !e.AskedAt.IsZero(), !e.RepliedAt.IsZero(), e.Failed, e.Error})
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out.Metrics, byKey)
	slices.SortFunc(out.Exchanges, func(a, b exchanged) int { return cmp.Compare(a.Message, b.Message) })
	return out
}

// written is what the steps' ServerApp itself would write down.
func written(t *testing.T, steps []step, rounds []int) (out rows) {
	t.Helper()
	for i, st := range steps {
		out.Metrics = append(out.Metrics, st.Metrics...)
		for _, r := range st.Replies {
			m := r.message(t)
			meta := m.GetMetadata()
			e := exchanged{Message: meta.GetReplyToMessageId(), Round: rounds[i], Phase: domain.Phase(meta.GetMessageType()), Node: meta.GetSrcNodeId(), Asked: true, Replied: true}
			if m.GetError() != nil {
				e.Failed, e.Error = true, domain.Cut(m.GetError().GetReason(), 2000)
			}
			out.Exchanges = append(out.Exchanges, e)
		}
	}
	slices.SortFunc(out.Metrics, byKey)
	slices.SortFunc(out.Exchanges, func(a, b exchanged) int { return cmp.Compare(a.Message, b.Message) })
	return out
}
