// Package launcher starts the ServerApps of a federation's runs: it acquires a run's task from the SuperLink, gives the
// ServerApp a directory, a log file and a Runtime API address of its own, waits for it, and keeps how it ended.
//
// It starts only what it was ordered to. It runs in the keeper, so that ServerApps outlive the server.
package launcher

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"time"

	"blossomtune/internal/domain"
)

// Order lets the launcher start one engine run's ServerApp.
type Order struct {
	EngineRunID uint64             `json:"engine_run_id"`
	Settings    domain.RunSettings `json:"settings"`
	NoWeb       bool               `json:"no_web,omitempty"` // the ServerApp cannot reach web servers
	Disk        int64              `json:"disk,omitempty"`   // most bytes of disk that its files may take; 0: no limit
	UID         int                `json:"uid,omitempty"`    // the user that the ServerApp runs as; 0: this process's own
}

// State is where a task stands.
type State string

// States of a task.
const (
	Ordered State = "ordered" // waits for the SuperLink to hand the task out
	Running State = "running" // the process runs
	Ended   State = "ended"
)

// Task is one run's ServerApp: durable in launch.json of the run's directory, so that it is known after a restart.
type Task struct {
	EngineRunID      uint64            `json:"engine_run_id"`
	TaskID           uint64            `json:"task_id,omitempty"`
	State            State             `json:"state"`
	Attempts         int               `json:"attempts"` // processes started
	PID              int               `json:"pid,omitempty"`
	OrderedAt        time.Time         `json:"ordered_at"`
	StartedAt        time.Time         `json:"started_at,omitzero"`         // of the last process
	FirstRequestAt   time.Time         `json:"first_request_at,omitzero"`   // its first call of the Runtime API
	FirstHeartbeatAt time.Time         `json:"first_heartbeat_at,omitzero"` // from then on the SuperLink watches it too
	EndedAt          time.Time         `json:"ended_at,omitzero"`
	ExitCode         int               `json:"exit_code"`                   // -1 while it runs, when a signal ended it, or unknown
	Signal           string            `json:"signal,omitempty"`            // the signal that ended it
	Reason           string            `json:"reason,omitempty"`            // why the launcher could not start it, or lost it
	Killed           domain.KillReason `json:"killed,omitempty"`            // why this server ended it; noted before it is signalled
	OverMemory       int64             `json:"over_memory,omitempty"`       // bytes that its processes held when they were ended for that
	OverDisk         int64             `json:"over_disk,omitempty"`         // bytes of disk that its files took when it was ended for that
	OutputSubStatus  string            `json:"output_sub_status,omitempty"` // what it told the SuperLink at its end
	OutputDetails    string            `json:"output_details,omitempty"`
	OutputAt         time.Time         `json:"output_at,omitzero"` // when it told it

	Shapes *domain.Shapes `json:"shapes,omitempty"` // of a failed one: how the arrays of the newest replies are made
}

// Equal reports whether two tasks say the same.
func (t Task) Equal(o Task) bool {
	a, b := t.Shapes, o.Shapes
	t.Shapes, o.Shapes = nil, nil
	return t == o && reflect.DeepEqual(a, b)
}

// Alive reports whether the ServerApp has given a sign of life.
func (t Task) Alive() bool { return !t.FirstRequestAt.IsZero() || !t.FirstHeartbeatAt.IsZero() }

// Files of a run's directory.
const (
	taskFile   = "launch.json"
	brokenName = "launch.json.unreadable"
	LogName    = "serverapp.log"
	WorkName   = "work"
	tokenName  = "token"
	homeName   = "flwr_home"
)

// RunDir returns the directory of an engine run in a federation's directory.
func RunDir(fedDir string, engineRunID uint64) string {
	return filepath.Join(fedDir, "runs", strconv.FormatUint(engineRunID, 10))
}

// readTask reads a run's task. The run's ServerApp can write into its directory, so nothing in it is trusted.
func readTask(dir string, engineRunID uint64) (Task, error) {
	var t Task
	b, err := ReadFile(filepath.Join(dir, taskFile), maxTask)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, err
	}
	switch {
	case t.EngineRunID != engineRunID:
		return t, errors.New("it is of another run")
	case t.State != Ordered && t.State != Running && t.State != Ended:
		return t, errors.New("it has no known state")
	}
	return t, nil
}

// writeTask replaces the file as a whole: it is read after a kill -9 at any moment.
func writeTask(dir string, t Task) error {
	b, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, taskFile), append(b, '\n'))
}

// WriteFile replaces a file as a whole, with mode 0600: a reader sees the old content or the new, also after a crash.
func WriteFile(path string, content []byte) error { return WriteFileFor(path, content, 0) }

// WriteFileFor is WriteFile for a file that belongs to the user uid; 0: to this process's own.
func WriteFileFor(path string, content []byte, uid int) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if uid != 0 {
		err = errors.Join(err, f.Chown(uid, uid))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
