package superlink_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// When replies take long to store, a poll gives those that are stored, and the next one the others.
func TestAPollGivesTheRepliesThatAreStored(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		one, two := r.node("one"), r.node("two")
		a, to := r.observed("k")
		asked := []parcel{a.ask(one, []byte("weights one")), a.ask(two, []byte("weights two"))}
		r.answer(one, r.pull(one), measures(t, 3000)) // more than are kept: it is stored alone
		r.answer(two, r.pull(two), measures(t, 3))
		to.stored = func() { r.pass(11 * time.Second) }
		for i := range asked {
			got := a.replies(asked[i:]...)
			if len(got) != 1 || got[0].GetMetadata().GetReplyToMessageId() != asked[i].id() || len(to.replies()) != i+1 {
				t.Fatalf("poll %d: %d replies are given, %d stored", i+1, len(got), len(to.replies()))
			}
		}
	})
}

// A reply whose record is lost, be it a file or a row, is given without what it measures, and holds back no other.
func TestALostRecordHoldsBackNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, to := r.observed("k")
		in := &flwrpb.PullAppMessagesRequest{}
		records := [][]byte{measures(t, 3), measures(t, 40_000), measures(t, 2)}
		for i, record := range records {
			node := r.node(fmt.Sprint("node ", i))
			in.MessageIds = append(in.MessageIds, a.ask(node, []byte("weights")).id())
			r.answer(node, r.pull(node), record)
		}
		r.restart() // after which no content is in memory
		if err := r.store.Commit(context.Background(), []superlink.Change{superlink.DropObject(wire.ObjectID(records[0]))}); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(r.dir, wire.ObjectID(records[1]))); err != nil {
			t.Fatal(err)
		}
		var out flwrpb.PullAppMessagesResponse
		r.must(a.call("pull-messages", in, &out))
		all := to.replies()
		if len(out.GetMessagesList()) != 3 || len(all) != 1 || len(all[0].Exchanges) != 3 || len(all[0].Metrics) != 2 {
			t.Errorf("%d replies are given; stored: %+v", len(out.GetMessagesList()), all)
		}
	})
}

// A poll during which its run ends changes nothing any more.
func TestAPollOfARunThatEnds(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		node := r.node("one")
		a, to := r.observed("k")
		p := a.ask(node, []byte("weights"))
		w := a.calling("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: []string{p.id()}}, func() {
			if err := r.link.Stop(a.run); err != nil {
				t.Error(err)
			}
		})
		if left := r.rows(); w.Code != http.StatusUnauthorized || len(to.replies()) != 0 || left != 0 {
			t.Errorf("HTTP %d, %d replies are stored, %d rows and files are left", w.Code, len(to.replies()), left)
		}
	})
}

// The log that a ServerApp sends is read to its end: else its connection could not be used again.
func TestLogsAreReadToTheirEnd(t *testing.T) {
	r := limitedRig(t, superlink.Options{})
	a, read := r.app("k"), false
	w := a.calling("push-logs", &flwrpb.PushTaskOutputRequest{Details: strings.Repeat("x", 1<<20)}, func() { read = true })
	if w.Code != http.StatusOK || !read {
		t.Errorf("HTTP %d, read %v", w.Code, read)
	}
}

// config makes a config that names round 7, with so much besides.
func config(t *testing.T, more int) []byte {
	t.Helper()
	rec := &flwrpb.ConfigRecord{Items: []*flwrpb.ConfigRecord_Item{
		{Key: "server-round", Value: &flwrpb.ConfigRecordValue{Value: &flwrpb.ConfigRecordValue_Sint64{Sint64: 7}}},
		{Key: "more", Value: &flwrpb.ConfigRecordValue{Value: &flwrpb.ConfigRecordValue_BoolList{BoolList: &flwrpb.BoolList{Vals: make([]bool, more)}}}}}}
	body, err := proto.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	return append(fmt.Appendf(nil, "ConfigRecord  %d\x00", len(body)), body...)
}

// unreadable lets an object's file be none that can be read, or else nothing be stored, until mend is called.
func (r *rig) unreadable(id string, to *sink) (mend func()) {
	r.t.Helper()
	file, away := filepath.Join(r.dir, id), filepath.Join(r.t.TempDir(), id)
	if os.Rename(file, away) != nil {
		to.set(true)
		return func() { to.set(false) }
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		if err := errors.Join(os.Remove(file), os.Rename(away, file)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// The config that names a message's round is read whether it is in a file or in the store, also when another run has sent it before. It
// is read again when the call is repeated because something could not be read or stored.
func TestAConfigNamesTheRound(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		node := r.node("one")
		other := r.app("another run")
		for i, size := range []int{0, 200 << 10} {
			for _, shared := range []bool{false, true} {
				a, to := r.observed(fmt.Sprint("k", i, shared))
				content := config(t, size+i)
				if shared {
					other.ask(node, content)
				}
				meta := r.metadata(a.run, superlink.ServerID, node, "")
				meta.GroupId = ""
				p := pack(meta, content)
				if shared {
					mend := r.unreadable(wire.ObjectID(content), to)
					if status := a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
						MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil); status != http.StatusServiceUnavailable {
						t.Fatalf("%d bytes: HTTP %d while nothing can be read or stored", size, status)
					}
					mend()
				}
				a.post(p)
				if len(to.all) != 1 || len(to.all[0].Exchanges) != 1 || to.all[0].Exchanges[0].Round != 7 {
					t.Errorf("%d bytes, shared %v: %+v", size, shared, to.all)
				}
				if err := r.link.Stop(a.run); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
