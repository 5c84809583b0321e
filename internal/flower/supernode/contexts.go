package supernode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// contexts keeps the Context of each series of runs on disk: an app that keeps state between rounds finds it again after a restart. A
// Context can be as large as a model, so it is copied without being held in memory. A ClientApp that has replied may still be on its
// way to handing its Context over; the next one of the series waits for it.
type contexts struct {
	dir string

	mu   sync.Mutex
	late map[uint64][]*Task // that have not handed their Context over, by series
}

const (
	keptContexts  = 64
	maxContext    = 1 << 30 // bytes
	bytesContexts = 8 << 30 // of all together
)

// Field numbers of flwr.proto.Context.
const (
	contextRun, contextNode, contextState = 1, 2, 4
)

func newContexts(dir string) *contexts {
	return &contexts{dir: dir, late: map[uint64][]*Task{}}
}

// contextName is the name of a file: a series has one Context, which says which run of which node left it.
func contextName(series, run, node uint64) string {
	return fmt.Sprintf("%d_%d_%d.context", series, run, node)
}

// left lists what a series has left.
func (c *contexts) left(series uint64) []string {
	found, _ := filepath.Glob(filepath.Join(c.dir, fmt.Sprintf("%d_*.context", series))) // the pattern is sound
	return found
}

// expect notes that a task of the series is going to hand its Context over. It returns the tasks that are to be waited for first: those
// that have replied. Those that work at the same time, where the owner allows several, begin with the same Context.
func (c *contexts) expect(series uint64, t *Task) (before []*Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, all := range c.late {
		open := slices.DeleteFunc(all, func(t *Task) bool { return isClosed(t.settled) })
		if c.late[s] = open; len(open) == 0 {
			delete(c.late, s)
		}
	}
	for _, other := range c.late[series] {
		if other.Replied() {
			before = append(before, other)
		}
	}
	c.late[series] = append(c.late[series], t)
	return before
}

// open returns the Context for a message of a run, and its size: the one that the run left here, or a new one with the state that an
// earlier run of the series left. The caller closes it.
func (c *contexts) open(r *run, node uint64) (io.ReadCloser, int64, error) {
	own := filepath.Join(c.dir, contextName(r.series(), r.proto.GetRunId(), node))
	if f, err := os.Open(own); err == nil {
		st, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return nil, 0, err
		}
		return f, st.Size(), nil
	}
	fresh, err := proto.Marshal(&flwrpb.Context{RunId: r.proto.GetRunId(), NodeId: node, NodeConfig: r.node, RunConfig: r.config,
		SeriesId: r.proto.GetSeriesId()})
	if err != nil {
		return nil, 0, err
	}
	state, size := io.NopCloser(bytes.NewReader(nil)), int64(0)
	if left := c.left(r.series()); len(left) > 0 {
		if state, size, err = stateOf(left[0]); err != nil {
			return nil, 0, err
		}
	}
	fresh = protowire.AppendVarint(protowire.AppendTag(fresh, contextState, protowire.BytesType), uint64(size))
	return joined{io.MultiReader(bytes.NewReader(fresh), state), state}, int64(len(fresh)) + size, nil
}

// joined reads from several readers, one of which is to be closed.
type joined struct {
	io.Reader
	io.Closer
}

// stateOf opens the state in a stored Context.
func stateOf(path string) (io.ReadCloser, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	fields := fieldReader{r: bufio.NewReader(f)}
	for {
		w, err := fields.next()
		if errors.Is(err, io.EOF) {
			return f, 0, nil // it has no state
		}
		if err == nil && w.num == contextState && w.kind == protowire.BytesType {
			return joined{io.LimitReader(fields.r, w.size), f}, w.size, nil
		}
		if err == nil {
			err = fields.skip(w)
		}
		if err != nil {
			_ = f.Close()
			return nil, 0, fmt.Errorf("reading a stored Context: %w", err)
		}
	}
}

// keep stores what a ClientApp hands over: size bytes from content. A Context of another run or node is not taken.
func (c *contexts) keep(r *run, node uint64, size int64, content io.Reader) error {
	if size > maxContext {
		return errTooLarge
	}
	f, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return err
	}
	err = copyContext(f, r.proto.GetRunId(), node, io.LimitReader(content, size))
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	own := filepath.Join(c.dir, contextName(r.series(), r.proto.GetRunId(), node))
	for _, old := range c.left(r.series()) {
		if old != own {
			_ = os.Remove(old)
		}
	}
	if err := os.Rename(f.Name(), own); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	trim(c.dir, keptContexts, bytesContexts)
	return nil
}

var errForeignContext = errors.New("the Context is not the one of this run")

// copyContext copies a Context and checks whose it is.
func copyContext(to io.Writer, run, node uint64, content io.Reader) error {
	var gotRun, gotNode uint64
	fields := fieldReader{r: bufio.NewReaderSize(io.TeeReader(content, to), copyBuffer)}
	for {
		w, err := fields.next()
		if errors.Is(err, io.EOF) {
			break
		}
		switch {
		case err != nil:
			return err
		case w.num == contextRun:
			gotRun = w.value
		case w.num == contextNode:
			gotNode = w.value
		}
		if err := fields.skip(w); err != nil {
			return err
		}
	}
	if gotRun != run || gotNode != node {
		return errForeignContext
	}
	return nil
}
