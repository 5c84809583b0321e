// Package diagnose says why a run failed and what a run waits for.
//
// It is pure: a caller collects the facts ([Facts] of a run that failed, [Situation] of one that has not ended), and gets a cause
// or a wait with the words for it. It reads no database, no file and no clock, and changes nothing. What a log line means is in
// package applog, what Python tracebacks mean in package pyerror; who acts on a cause is package drive.
package diagnose

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// LogLines is how many lines of the log's end [Facts] should have.
const LogLines = 600

// Facts are what is known of a run that has failed. What could not be read is left zero: a cause then says less.
type Facts struct {
	Run    domain.Run
	Engine domain.EngineRun
	Task   domain.Task
	Log    []logfile.Line    // its end, see [LogLines]
	App    domain.AppVersion // with its FAB

	Asked   []domain.Exchange // in the newest round
	Exits   []domain.AppExit
	Keys    []domain.NodeKey           // of the run's federation, revoked ones too
	Unasked bool                       // nothing was asked of any SuperNode in the whole run
	Sent    map[uint64]map[string]bool // the metrics that each SuperNode sent in the newest round of training; needed where [Unequal] says so
	Limits  *Situation                 // to say which limit is passed; needed where a limit ended the ServerApp

	Flwr    string // the version that is installed here
	MaxDisk int64  // bytes that a ServerApp's files may take
}
