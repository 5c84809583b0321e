package superlink

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime/metrics"
	"slices"
)

// allocated returns the bytes that this process has allocated since its start.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// check checks what holds at any time: the parts of the state agree with each other, all that was acknowledged is in the store, and
// no message that was accepted is lost.
func (w *world) check() {
	w.t.Helper()
	l := w.link
	l.mu.Lock()
	if l.fault != nil {
		w.t.Errorf("the SuperLink is broken: %v", l.fault)
	}
	w.agrees(l)
	for id, run := range w.acked {
		if m := l.letters[id]; (m == nil || m.to != nil) && l.runs[run].Status != Finished {
			w.t.Errorf("message %.8s was accepted and is lost", id)
		}
	}
	l.mu.Unlock()
	again := w.openLink() // nothing is under way: what is in memory is committed
	again.Close()
	w.agrees(again)
	w.same(l, again)
}

// agrees checks one state in itself.
func (w *world) agrees(l *Link) {
	w.t.Helper()
	users, waiting, size := map[string]map[uint64]int{}, map[string]int{}, int64(0)
	for id, c := range l.letters {
		missing := 0
		for _, o := range c.objects {
			if users[o] == nil {
				users[o] = map[uint64]int{}
			}
			users[o][c.row.RunID]++
			if obj := l.objects[o]; obj == nil {
				w.t.Fatalf("%.8s needs object %.8s, which nobody knows", id, o)
			} else if !obj.here {
				missing++
				waiting[o]++
			}
		}
		if missing != c.missing {
			w.t.Errorf("%.8s waits for %d objects and counts %d", id, missing, c.missing)
		}
		w.placed(l, id, c)
	}
	for id, o := range l.objects {
		got := map[uint64]int{}
		for _, u := range o.users {
			got[u.run] = u.refs
		}
		if !maps.Equal(got, users[id]) || len(o.waiting) != waiting[id] {
			w.t.Errorf("object %.8s: users %v, want %v; %d wait, want %d", id, got, users[id], len(o.waiting), waiting[id])
		}
		if o.here {
			size += o.size
		}
		if info, err := os.Stat(filepath.Join(w.dir, id)); o.file && (err != nil || info.Size() != o.size) {
			w.t.Errorf("the file of object %.8s: %v", id, err)
		}
	}
	charged, pending := int64(0), map[uint64]int64{}
	for _, c := range l.letters {
		pending[c.row.RunID] += c.weight()
	}
	for _, r := range l.runs {
		if r.pending != pending[r.ID] {
			w.t.Errorf("the messages of run %d weigh %d bytes, counted are %d", r.ID, pending[r.ID], r.pending)
		}
		if r.bytes < 0 || r.Status == Finished && (len(r.letters) > 0 || len(r.unknown) > 0) {
			w.t.Errorf("run %d: %d bytes, %d messages, %d unknown", r.ID, r.bytes, len(r.letters), len(r.unknown))
		}
		charged += r.bytes
	}
	if charged != size {
		w.t.Errorf("the objects have %d bytes, the runs pay for %d", size, charged)
	}
}

// placed checks that a message or reply is where it belongs.
func (w *world) placed(l *Link, id string, c *letter) {
	w.t.Helper()
	r := l.runs[c.row.RunID]
	switch {
	case id != c.row.ID || r == nil:
		w.t.Errorf("%.8s is not in its place", id)
	case c.to != nil:
		if c.to.reply != c || l.letters[c.to.row.ID] != c.to || c.row.ReplyTo != c.to.row.ID {
			w.t.Errorf("reply %.8s does not belong to its message", id)
		}
	case c.row.ReplyTo != "":
		if r.unknown[c.row.ReplyTo] != c {
			w.t.Errorf("%.8s replies to a message that is not known, and the run does not know it", id)
		}
	default:
		n := l.nodes[c.row.NodeID]
		if r.letters[id] != c || n == nil || slices.Contains(n.mail, c) == c.answered() {
			w.t.Errorf("message %.8s (answered: %v) is not where it belongs", id, c.answered())
		}
	}
}

// same compares a state with what another SuperLink loads from the store.
func (w *world) same(l, again *Link) {
	w.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	row := func(r *run) RunRow { // the traffic is stored with other changes
		out := r.RunRow
		out.BytesSent, out.BytesReceived = 0, 0
		return out
	}
	equal(w, "runs", l.runs, again.runs, func(a, b *run) bool {
		return reflect.DeepEqual(row(a), row(b)) && keys(a.letters, b.letters) && keys(a.unknown, b.unknown)
	})
	equal(w, "SuperNodes", l.nodes, again.nodes, func(a, b *node) bool { return reflect.DeepEqual(a.NodeRow, b.NodeRow) })
	equal(w, "messages", l.letters, again.letters, func(a, b *letter) bool {
		return reflect.DeepEqual(a.row, b.row) && a.missing == b.missing && slices.Equal(a.objects, b.objects) &&
			(a.reply == nil) == (b.reply == nil) && (a.to == nil) == (b.to == nil)
	})
	equal(w, "objects", l.objects, again.objects, func(a, b *object) bool {
		return a.here == b.here && a.size == b.size && a.file == b.file
	})
}

func keys[V any](a, b map[string]V) bool {
	return slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
}

func equal[K comparable, V any](w *world, what string, a, b map[K]V, same func(a, b V) bool) {
	w.t.Helper()
	if len(a) != len(b) {
		w.t.Errorf("%d %s in memory, %d in the store", len(a), what, len(b))
	}
	for k, v := range a {
		if other, ok := b[k]; !ok || !same(v, other) {
			w.t.Errorf("%s: %v is not in the store as it is in memory", what, k)
		}
	}
}
