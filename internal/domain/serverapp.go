package domain

import "time"

// EngineRun is a run as the SuperLink reports it.
type EngineRun struct {
	ID        uint64
	Key       string // the key of its run, where the SuperLink keeps such keys; else empty
	AppHash   string
	Status    string // pending, starting, running, finished
	SubStatus string // of a finished one: completed, failed, stopped
	Details   string
	PendingAt time.Time // when StartRun created it
}

// Finished reports whether the SuperLink has ended the run.
func (r EngineRun) Finished() bool { return r.Status == "finished" }

// Task is a run's ServerApp process as the launcher reports it.
type Task struct {
	EngineRunID uint64
	Alive       bool // the ServerApp has sent its first sign of life
	Ended       bool
	ExitCode    int        // -1 when it was ended by a signal or is unknown
	Signal      string     // the signal's name, if one ended it
	Reason      string     // why the launcher could not start it or lost it; may be empty
	ToldAt      time.Time  // when it told the SuperLink how it ended; zero: it has not
	Shapes      *Shapes    // of a failed one: how the arrays of the newest replies are made; nil: not known
	Killed      KillReason // why this server ended it; empty: it did not
	OverDisk    int64      // the bytes of disk that its files took when it was ended for that; 0: it was not
	OverMemory  int64      // the bytes that it held when it was ended for holding more than its settings allow; 0: it was not
}

// EndedHere reports whether this server ended the ServerApp for a reason of its own, whatever the ServerApp reported before.
func (t Task) EndedHere() bool {
	return t.OverMemory > 0 || t.OverDisk > 0 || t.Killed != "" && t.Killed != KilledSilence
}
