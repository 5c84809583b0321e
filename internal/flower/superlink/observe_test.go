package superlink_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// sink keeps what an Observer stores; nothing while it is away.
type sink struct {
	mu     sync.Mutex
	away   bool
	all    []domain.Observation
	stored func() // called when something was; may be nil
}

func (s *sink) Record(_ context.Context, o domain.Observation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errors.New("the database is away")
	}
	s.all = append(s.all, o)
	if s.stored != nil {
		s.stored()
	}
	return nil
}

func (s *sink) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// replies returns the observations that have a reply.
func (s *sink) replies() (out []domain.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		if slices.ContainsFunc(o.Exchanges, func(e domain.Exchange) bool { return !e.RepliedAt.IsZero() }) {
			out = append(out, o)
		}
	}
	return out
}

// observed is a ServerApp whose run is observed.
func (r *rig) observed(key string) (*app, *sink) {
	r.t.Helper()
	a, to := r.app(key), &sink{}
	a.seen = observe.New(observe.Options{FederationID: 7, EngineRunID: a.run, Sink: to, Clock: r.clock, Logger: slog.New(slog.DiscardHandler),
		StoreWait: 200 * time.Millisecond})
	return a, to
}

// measures makes a record of so many numbers.
func measures(t testing.TB, n int) []byte {
	t.Helper()
	rec := &flwrpb.MetricRecord{}
	for i := range n {
		rec.Items = append(rec.Items, &flwrpb.MetricRecord_Item{Key: fmt.Sprintf("metric-%07d", i),
			Value: &flwrpb.MetricRecordValue{Value: &flwrpb.MetricRecordValue_Double{Double: float64(i)}}})
	}
	body, err := proto.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return append(fmt.Appendf(nil, "MetricRecord  %d\x00", len(body)), body...)
}

// All replies of a poll are stored together before the ServerApp gets any, and once: also when it asks again. While they cannot be
// stored it gets none.
func TestRepliesAreStoredBeforeTheyAreGiven(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		one, two := r.node("one"), r.node("two")
		a, to := r.observed("k")
		asked := []parcel{a.ask(one, []byte("weights one")), a.ask(two, []byte("weights two"))}
		first := r.answer(one, r.pull(one), measures(t, 3))
		second := r.answer(two, r.pull(two), measures(t, 40_000)) // too large to be read whole
		to.set(true)
		in := &flwrpb.PullAppMessagesRequest{MessageIds: []string{asked[0].id(), asked[1].id()}}
		if status := a.call("pull-messages", in, nil); status != http.StatusServiceUnavailable || len(to.replies()) > 0 {
			t.Fatalf("HTTP %d while nothing can be stored", status)
		}
		to.set(false)
		for range 2 {
			var out flwrpb.PullAppMessagesResponse
			r.must(a.call("pull-messages", in, &out))
			if len(out.GetMessagesList()) != 2 {
				t.Fatalf("%d replies", len(out.GetMessagesList()))
			}
			metrics, dropped := map[uint64]int{}, 0
			for _, o := range to.replies() {
				for _, m := range o.Metrics {
					metrics[m.NodeID]++
				}
				dropped += o.Dropped
			}
			if metrics[one] != 3 || metrics[two] == 0 || metrics[two]+dropped != 40_000 || len(to.replies()) != 2 {
				t.Fatalf("%v and %d more, in %d observations", metrics, dropped, len(to.replies()))
			}
		}
		a.confirm(first.id())
		a.confirm(second.id())
		if n := len(to.replies()); n != 2 {
			t.Errorf("%d observations after the confirmations", n)
		}
	})
}

// Many replies take one transaction, an error among them.
func TestManyRepliesAreStoredAtOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, to := r.observed("k")
		in := &flwrpb.PullAppMessagesRequest{}
		for i := range 20 {
			node := r.node(fmt.Sprint("node ", i))
			in.MessageIds = append(in.MessageIds, a.ask(node, []byte("weights")).id())
			if i == 0 {
				r.must(r.fleet("deactivate-node", &flwrpb.DeactivateNodeRequest{NodeId: node}, nil))
				continue
			}
			r.answer(node, r.pull(node), measures(t, 2))
		}
		r.must(a.call("pull-messages", in, nil))
		all := to.replies()
		if len(all) != 1 || len(all[0].Exchanges) != 20 || len(all[0].Metrics) != 38 {
			t.Fatalf("%d observations: %+v", len(all), all)
		}
		failed := 0
		for _, e := range all[0].Exchanges {
			if e.Failed {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%d replies are errors", failed)
		}
	})
}

// A poll is held until the last reply is here, and ends when its run does.
func TestAPollWaitsForTheReplies(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		node := r.node("one")
		a, to := r.observed("k")
		asked := a.ask(node, []byte("weights"))
		poll := func() chan int {
			done := make(chan int, 1)
			go func() {
				done <- a.call("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: []string{asked.id()}}, nil)
			}()
			return done
		}
		done := poll()
		select {
		case status := <-done:
			t.Fatalf("HTTP %d before the reply", status)
		case <-time.After(50 * time.Millisecond):
		}
		reply := r.answer(node, r.pull(node), measures(t, 1))
		if status := <-done; status != http.StatusOK || len(to.replies()) != 1 {
			t.Fatalf("HTTP %d, %d replies stored", status, len(to.replies()))
		}
		a.confirm(reply.id())
		asked = a.ask(node, []byte("more weights"))
		done = poll()
		if err := r.link.Stop(a.run); err != nil {
			t.Fatal(err)
		}
		if status := <-done; status != http.StatusUnauthorized {
			t.Errorf("HTTP %d when the run was stopped", status)
		}
	})
}

// A run's Runtime API takes no other run's token.
func TestTheTokenOfAnotherRunIsRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, _ := r.observed("k")
		other := r.app("another")
		a.token = other.token
		if status := a.call("pull-messages", &flwrpb.PullAppMessagesRequest{}, nil); status != http.StatusUnauthorized {
			t.Errorf("HTTP %d", status)
		}
	})
}

// A ServerApp's last words reach the SuperLink and the launcher without the secrets in them.
func TestLastWordsAreMasked(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.app("k")
		var told string
		a.seen = observe.New(observe.Options{EngineRunID: a.run, Clock: r.clock,
			OnSign: func(s observe.Sign, _, details string) {
				if s == observe.SignOutput {
					told = details
				}
			}})
		r.must(a.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: superlink.Failed,
			Details: "ValueError: bad token hf_aB3daB3daB3daB3daB3daB3daB3daB3d"}, nil))
		const want = "ValueError: bad token hf_[masked]"
		if kept := r.link.Runs()[0].Details; told != want || kept != want {
			t.Errorf("the launcher hears %q, the SuperLink keeps %q", told, kept)
		}
	})
}
