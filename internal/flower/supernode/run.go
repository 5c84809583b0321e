package supernode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// run is what the node knows of a run.
type run struct {
	proto  *flwrpb.Run
	fab    []byte
	config map[string]*flwrpb.Scalar // the FAB's defaults with the run's own values
	node   map[string]*flwrpb.Scalar // the node config when the run began here
	used   time.Time
}

// series names what shares a context. A SuperLink that knows no series has one for each run.
func (r *run) series() uint64 {
	if s := r.proto.GetSeriesId(); s != 0 {
		return s
	}
	return r.proto.GetRunId()
}

// runs keeps the newest runs in memory and their FABs on disk.
type runs struct {
	n    *Node
	mu   sync.Mutex
	byID map[uint64]*run
}

const (
	keptRuns = 8
	keptFABs = 32

	bytesFABs = 1 << 30
)

// get returns a run, asked of the SuperLink once. An [*AppError] says what is wrong with its FAB.
func (rs *runs) get(ctx context.Context, id uint64) (*run, error) {
	rs.mu.Lock()
	r := rs.byID[id]
	if r != nil {
		r.used = time.Now()
	}
	rs.mu.Unlock()
	if r != nil {
		return r, nil
	}
	var out flwrpb.GetRunResponse
	if err := rs.n.link.call(ctx, "/v1/fleet/get-run", &flwrpb.GetRunRequest{Node: rs.n.node(), RunId: id}, &out); err != nil {
		return nil, fmt.Errorf("asking for the run: %w", err)
	}
	fab, err := rs.fab(ctx, out.GetRun())
	if err != nil {
		return nil, err
	}
	config, err := fusedConfig(fab, out.GetRun().GetOverrideConfig())
	if err != nil {
		return nil, &AppError{Code: wire.ErrorInvalidFAB,
			Reason: "The configuration in the app's pyproject.toml cannot be used: " + err.Error() + "."}
	}
	if rs.n.o.Refresh != nil {
		rs.n.o.Refresh(ctx)
	}
	rs.n.configMu.Lock()
	node := rs.n.config
	rs.n.configMu.Unlock()
	r = &run{proto: out.GetRun(), fab: fab, config: config, node: node, used: time.Now()}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.byID[id] = r
	for len(rs.byID) > keptRuns {
		oldest := id
		for i, other := range rs.byID {
			if other.used.Before(rs.byID[oldest].used) {
				oldest = i
			}
		}
		delete(rs.byID, oldest)
	}
	return r, nil
}

// fab returns the bytes of a run's app version. Nothing but bytes with the announced SHA-256 is ever used.
func (rs *runs) fab(ctx context.Context, r *flwrpb.Run) ([]byte, error) {
	hash := r.GetFabHash()
	if !wire.IsObjectID(hash) {
		return nil, &AppError{Code: wire.ErrorInvalidFAB, Reason: "The run names no app version."}
	}
	path := filepath.Join(rs.n.dir("fabs"), hash+".fab")
	if content, err := os.ReadFile(path); err == nil && wire.ObjectID(content) == hash {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // only the order of removal depends on it
		return content, nil
	}
	var out flwrpb.GetFabResponse
	in := &flwrpb.GetFabRequest{Node: rs.n.node(), HashStr: hash, RunId: r.GetRunId()}
	if err := rs.n.link.call(ctx, "/v1/fleet/get-fab", in, &out); err != nil {
		return nil, fmt.Errorf("asking for the app: %w", err)
	}
	content := out.GetFab().GetContent()
	if wire.ObjectID(content) != hash {
		return nil, &AppError{Code: wire.ErrorInvalidFAB,
			Reason: "The app that arrived does not have the SHA-256 that the run names. It was not started."}
	}
	if err := replace(path, content); err != nil {
		return nil, err
	}
	trim(rs.n.dir("fabs"), keptFABs, bytesFABs)
	return content, nil
}

// LastFAB names the file of the app version that was used last in a node's directory; empty if there is none.
func LastFAB(dir string) string {
	entries, err := os.ReadDir(filepath.Join(dir, "fabs"))
	if err != nil {
		return ""
	}
	name, newest := "", time.Time{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".fab" && info.ModTime().After(newest) {
			name, newest = filepath.Join(dir, "fabs", e.Name()), info.ModTime()
		}
	}
	return name
}

// over reports whether the SuperLink says that a run has ended; an answer of any other kind says nothing.
func (n *Node) over(ctx context.Context, id uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, quickCall)
	defer cancel()
	err := n.link.once(ctx, "/v1/fleet/get-run", &flwrpb.GetRunRequest{Node: n.node(), RunId: id}, &flwrpb.GetRunResponse{})
	return errors.Is(err, errRunOver)
}

func (n *Node) dir(name string) string { return filepath.Join(n.o.Dir, name) }

// replace writes a file as a whole: a reader sees all of it or nothing.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// trim removes the files of a directory that were used longest ago, so that at most keep of them with most bytes are left.
func trim(dir string, keep int, most int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	all := make([]fs.FileInfo, 0, len(entries))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var bytes int64
	for i, f := range all {
		if bytes += f.Size(); i >= keep || bytes > most && i > 0 {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// hash returns the hash of a run's app version; empty where it is not known.
func (rs *runs) hash(id uint64) string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.byID[id]; r != nil {
		return r.proto.GetFabHash()
	}
	return ""
}
