package supernode

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// contexts keeps the Context of each series of runs on disk: an app that keeps state between rounds finds it again after a restart.
// A ClientApp that has replied may still be on its way to handing its Context over; the next one waits for it.
type contexts struct {
	dir string

	mu   sync.Mutex
	late map[uint64][]<-chan struct{} // by series
}

const (
	keptContexts = 64
	maxContext   = 1 << 30          // bytes
	contextWait  = 30 * time.Second // for the ClientApp before
)

func newContexts(dir string) *contexts {
	return &contexts{dir: dir, late: map[uint64][]<-chan struct{}{}}
}

func (c *contexts) path(series uint64) string {
	return filepath.Join(c.dir, strconv.FormatUint(series, 10)+".context")
}

// expect notes that a ClientApp of the series is going to hand its Context over, by when done is closed. It returns those that are
// to be waited for first.
func (c *contexts) expect(series uint64, done <-chan struct{}) (before []<-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.late[series] {
		if !isClosed(ch) {
			before = append(before, ch)
		}
	}
	c.late[series] = append(slices.Clone(before), done)
	return before
}

// settled waits for ClientApps to hand their Contexts over, for as long as that is likely.
func settled(ctx context.Context, before []<-chan struct{}) {
	limit := time.NewTimer(contextWait)
	defer limit.Stop()
	for _, ch := range before {
		select {
		case <-ch:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// of returns the Context for a message of a run: the one that the run left here, or a new one with the state that an earlier run of
// the series left.
func (c *contexts) of(r *run, node uint64) ([]byte, error) {
	kept, err := os.ReadFile(c.path(r.series()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var old flwrpb.Context
	if err == nil && proto.Unmarshal(kept, &old) == nil && old.GetRunId() == r.proto.GetRunId() && old.GetNodeId() == node {
		return kept, nil
	}
	state := old.GetState()
	if state == nil {
		state = &flwrpb.RecordDict{}
	}
	return proto.Marshal(&flwrpb.Context{RunId: r.proto.GetRunId(), NodeId: node, NodeConfig: r.node, State: state, RunConfig: r.config,
		SeriesId: r.proto.GetSeriesId()})
}

// keep stores what a ClientApp has handed over. A Context of another run or node is not taken.
func (c *contexts) keep(r *run, node uint64, content []byte) error {
	var got flwrpb.Context
	if err := proto.Unmarshal(content, &got); err != nil || got.GetRunId() != r.proto.GetRunId() || got.GetNodeId() != node {
		return errors.New("the Context is not the one of this run")
	}
	if err := replace(c.path(r.series()), content); err != nil {
		return err
	}
	trim(c.dir, keptContexts)
	return nil
}
