package launcher

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// maxTask is the largest launch.json that is read, in bytes.
const maxTask = 1 << 20

// ReadFile reads a regular file of at most limit bytes in a directory that an app can write to: it neither follows a link nor waits for
// a pipe's other end.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case st.Size() > limit:
		return nil, fmt.Errorf("%s has %d bytes, which is too much", path, st.Size())
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// loadTasks reads the tasks that an earlier keeper kept. Those that it had not seen end died with it. A task that cannot be read, or
// not be written, is that run's loss alone.
func loadTasks(fedDir string, now time.Time, log *slog.Logger) (map[uint64]*Task, error) {
	entries, err := os.ReadDir(filepath.Join(fedDir, "runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return map[uint64]*Task{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	out := map[uint64]*Task{}
	for _, e := range entries {
		id, err := strconv.ParseUint(e.Name(), 10, 64)
		if err != nil || e.Name() != strconv.FormatUint(id, 10) {
			log.Warn("something that is not a run is in the directory of runs", "name", e.Name())
			continue
		}
		if t, known := loadTask(RunDir(fedDir, id), id, now, log); known {
			out[id] = &t
		}
	}
	return out, nil
}

// loadTask reads one task; known is false for a run that is to be ordered again.
func loadTask(dir string, engineRunID uint64, now time.Time, log *slog.Logger) (t Task, known bool) {
	t, err := readTask(dir, engineRunID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, false
	case err != nil:
		log.Error("a task cannot be read; its run is lost", "engine_run", engineRunID, "err", err)
		if err := os.Rename(filepath.Join(dir, taskFile), filepath.Join(dir, brokenName)); err != nil {
			log.Error("moving an unreadable task aside", "engine_run", engineRunID, "err", err)
		}
		t = Task{EngineRunID: engineRunID, State: Ended, OrderedAt: now, EndedAt: now, ExitCode: -1,
			Reason: fmt.Sprintf("The launcher's file of this run, %s, could not be read, so the ServerApp was lost. The file is kept as %s.",
				taskFile, brokenName)}
	case t.State == Ordered:
		return t, false // the server orders it again
	case t.State == Ended:
		return t, true
	default:
		t.State, t.EndedAt, t.ExitCode = Ended, now, -1
		t.Reason = "The keeper was killed, and the ServerApp with it."
	}
	if err := writeTask(dir, t); err != nil {
		log.Error("keeping the end of a lost ServerApp", "engine_run", engineRunID, "err", err)
	}
	return t, true
}
