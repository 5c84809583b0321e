package runs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// exchanged stores what became of a message to the SuperNode of a partition: "" is no reply yet, "ok" a reply, else an error reply.
func (w *world) exchanged(run domain.Run, node uint64, round int, reply string) {
	w.t.Helper()
	e := domain.Exchange{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: node, MessageID: fmt.Sprintf("%d-%d", node, round), AskedAt: time.Now()}
	if reply != "" {
		e.RepliedAt = time.Now()
	}
	if reply != "" && reply != "ok" {
		e.Failed, e.Error = true, reply
	}
	w.in(func(tx *store.Tx) error { return tx.UpsertExchanges(w.t.Context(), []domain.Exchange{e}) })
}

func (w *world) in(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.InTx(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// started launches a run and drives it until its ServerApp runs.
func (w *world) started(name string) domain.Run {
	w.t.Helper()
	run := w.launch(name)
	w.until(run.ID, isRunning)
	return w.get(run.ID)
}

func (w *world) get(id int64) domain.Run {
	w.t.Helper()
	run, err := w.server.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// completes lets the ServerApp end with exit code 0 and drives the run to its end.
func (w *world) completes(run domain.Run) domain.Run {
	w.t.Helper()
	w.engine.exit(0, "")
	w.until(run.ID, hasEnded)
	return w.get(run.ID)
}

func (w *world) participants(run domain.Run) []domain.RunParticipant {
	w.t.Helper()
	out, err := w.server.Participants(w.t.Context(), run)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// parts says what each participant of a run did, by partition.
func (w *world) parts(run domain.Run) string {
	w.t.Helper()
	var out []string
	for _, p := range w.participants(run) {
		words := fmt.Sprintf("%d/%d node %d", p.Partition, p.Partitions, p.NodeID)
		for _, did := range []struct {
			is   bool
			word string
		}{{p.Online, "online"}, {p.JoinedAt.After(run.StartingAt), "joined later"}, {!p.AskedAt.IsZero(), "asked"}, {!p.TakenAt.IsZero(), "taken"}, {!p.ContributedAt.IsZero(), "contributed"}, {!p.FailedAt.IsZero(), "failed"}} {
			if did.is {
				words += " " + did.word
			}
		}
		out = append(out, words)
	}
	return strings.Join(out, "\n")
}

// A run keeps who was enrolled, online and asked, from its start to its end and for ever.
func TestARunKeepsWhoTookPart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.nodes(4)
		w.seen(3, false, time.Now())
		run := w.started("r1")
		if got, want := w.parts(run), "0/10 node 101 online\n1/10 node 102 online\n2/10 node 103 online\n3/10 node 104"; got != want {
			t.Fatalf("at the start:\n%s\nwant\n%s", got, want)
		}

		w.exchanged(run, 101, 1, "ok")
		w.exchanged(run, 102, 1, "Error: boom")
		w.exchanged(run, 103, 1, "")
		w.in(func(tx *store.Tx) error {
			return tx.SaveTimings(t.Context(), []domain.Timing{{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, MessageID: "103-1", NodeID: 103, TakenAt: time.Now()}})
		})
		w.joins(4, 201)
		w.step()
		w.exchanged(run, 201, 2, "ok")
		w.step()
		want := "0/10 node 101 online asked contributed\n1/10 node 102 online asked failed\n2/10 node 103 online asked taken\n3/10 node 104\n4/10 node 201 joined later asked contributed"
		if got := w.parts(run); got != want {
			t.Errorf("while it runs:\n%s\nwant\n%s", got, want)
		}

		w.exchanged(run, 999, 3, "ok") // a SuperNode that nobody here knows
		run = w.completes(run)
		want = "-1/10 node 999 joined later asked contributed\n" + want
		if got := w.parts(run); got != want || run.Asked != 5 || run.Contributed != 3 {
			t.Errorf("at the end, %d asked, %d contributed:\n%s\nwant\n%s", run.Asked, run.Contributed, got, want)
		}

		before := w.participants(run)
		w.upheaval()
		if diff := cmp.Diff(before, w.participants(w.get(run.ID))); diff != "" {
			t.Error("what became of the federation changed the run:", diff)
		}
		labels, err := w.server.NodeLabels(t.Context(), run)
		if err != nil || labels["101"] != "partition 0" || labels["999"] != "" || len(labels) != 5 {
			t.Errorf("labels %v, %v", labels, err)
		}
	})
}

// joins lets one more person in, whose SuperNode is online.
func (w *world) joins(partition int, node uint64) {
	w.t.Helper()
	p := domain.Person{Email: fmt.Sprintf("late%d@example.org", partition), Name: "Late"}
	w.in(func(tx *store.Tx) error {
		if err := tx.InsertPerson(w.t.Context(), &p); err != nil {
			return err
		}
		r := domain.Request{Ref: p.Email, FederationID: w.fed.ID, PersonID: p.ID, State: domain.Approved, Partition: partition, DecidedAt: time.Now()}
		if err := tx.InsertRequest(w.t.Context(), &r); err != nil {
			return err
		}
		k := domain.NodeKey{FederationID: w.fed.ID, RequestID: r.ID, Partition: partition, PublicPEM: []byte("x"), Fingerprint: p.Email, NodeID: node, Via: "agent"}
		return tx.InsertNodeKey(w.t.Context(), &k)
	})
}

// upheaval changes everything that a federation has of its participants: names, partitions, keys, node ids, the total.
func (w *world) upheaval() {
	w.t.Helper()
	w.in(func(tx *store.Tx) error {
		ctx := w.t.Context()
		held, err := tx.HeldPartitions(ctx, w.fed.ID)
		if err != nil {
			return err
		}
		for _, r := range held {
			r.Partition += 20
			r.Name, r.Organisation = "Somebody else", "Elsewhere"
			if r.Partition == 20 {
				r.State = domain.Revoked
			}
			if err := tx.UpdateRequest(ctx, r); err != nil {
				return err
			}
		}
		keys, err := tx.NodeKeys(ctx, w.fed.ID)
		if err != nil {
			return err
		}
		for _, k := range keys {
			k.NodeID, k.RevokedAt = 0, time.Now()
			if err := tx.UpdateNodeKey(ctx, k); err != nil {
				return err
			}
		}
		f := w.fed
		f.TotalPartitions = 99
		return tx.UpdateFederation(ctx, f)
	})
}

// A participant whose SuperNode registers after the start is one participant, and one whose key is replaced has both SuperNodes.
func TestAParticipantMayGetASuperNodeDuringARun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.joins(0, 0)
		w.joins(1, 102)
		run := w.started("r1")
		w.in(func(tx *store.Tx) error {
			keys, err := tx.NodeKeys(t.Context(), w.fed.ID)
			if err != nil {
				return err
			}
			keys[0].NodeID = 101
			keys[1].RevokedAt = time.Now()
			if err := tx.UpdateNodeKey(t.Context(), keys[0]); err != nil {
				return err
			}
			if err := tx.UpdateNodeKey(t.Context(), keys[1]); err != nil {
				return err
			}
			return tx.InsertNodeKey(t.Context(), &domain.NodeKey{FederationID: w.fed.ID, RequestID: keys[1].RequestID, Partition: 1, PublicPEM: []byte("x"), Fingerprint: "new", NodeID: 202, Via: "agent"})
		})
		w.step()
		if got, want := w.parts(run), "0/10 node 101\n1/10 node 102\n1/10 node 202 joined later"; got != want {
			t.Errorf("\n%s\nwant\n%s", got, want)
		}
	})
}

// noticed checks that people are notified of a run's end as the run itself tells it.
func (w *world) noticed(run domain.Run, asked int) {
	w.t.Helper()
	w.in(func(tx *store.Tx) error {
		all, err := tx.UnsortedNotices(w.t.Context(), 10)
		if err != nil || len(all) != 2 {
			w.t.Errorf("notices %+v, %v", all, err)
			return err
		}
		n, told := all[1], all[1].Facts.Run
		want := domain.NoticeRunCompleted
		if run.Outcome() == domain.NothingTrained {
			want = domain.NoticeNothingTrained
		}
		if n.Kind != want || told.Cause != run.Cause.Message || told.Remedy != run.Cause.Remedy || told.Asked != asked ||
			told.Contributed != run.Contributed || len(told.Who) != run.Contributed {
			w.t.Errorf("the notice is %s, %+v", n.Kind, told)
		}
		return nil
	})
}

// A completed run says whether any participant contributed, and if none did, why.
func TestACompletedRunSaysWhetherAnyoneContributed(t *testing.T) {
	for _, c := range []struct {
		name          string
		replies       []string // of the partitions
		want          domain.Outcome
		cause, remedy string
	}{
		{"nobody is asked", nil, domain.NobodyAsked, "", ""},
		{"all contribute", []string{"ok", "ok"}, domain.Contributed, "", ""},
		{"one of two contributes", []string{"ok", "Error: boom"}, domain.Contributed, "", ""},
		{"none replies", []string{"", ""}, domain.NothingTrained, "Nothing was trained: 2 participants were asked and none replied.", "Check that their SuperNodes are online, then run it again."},
		{"all fail alike", []string{"<class 'ZeroDivisionError'>:<'division by zero'>", "<class 'ZeroDivisionError'>:<'division by zero'>"}, domain.NothingTrained, "Nothing was trained. Both participants raised ZeroDivisionError division by zero.", "Fix the app"},
		{"the only one fails", []string{"<class 'KeyError'>:<'x'>"}, domain.NothingTrained, "Nothing was trained. Partition 0 raised KeyError.", "The log of the run"},
		{"each in its way", []string{"<class 'KeyError'>:<'x'>", "<class 'OSError'>:<'x'>"}, domain.NothingTrained, "Nothing was trained. Both participants failed: partition 0 raised KeyError, and 1 more for 1 other reason.", "The log of the run"},
		{"one fails, one is silent", []string{"<class 'KeyError'>:<'x'>", ""}, domain.NothingTrained, "Nothing was trained: 2 participants were asked, 1 failed and 1 did not reply.", "Check that"},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db)
				w.nodes(2)
				run := w.started("r1")
				for p, reply := range c.replies {
					w.exchanged(run, uint64(101+p), 1, reply)
				}
				run = w.completes(run)
				if run.State != domain.Completed || run.Outcome() != c.want || run.Cause.Message != c.cause || !strings.HasPrefix(run.Cause.Remedy, c.remedy) {
					t.Errorf("%s, %s: %q, remedy %q", run.State, run.Outcome(), run.Cause.Message, run.Cause.Remedy)
				}
				w.noticed(run, len(c.replies))
			})
		})
	}
}
