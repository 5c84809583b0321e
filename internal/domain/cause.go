package domain

// Cause is why a run ended early: what happened, what to do, and the lines that show it.
type Cause struct {
	Code     CauseCode `json:"code,omitempty"`
	ExitCode int       `json:"exit_code"` // of the ServerApp; -1 where it has none
	Where    string    `json:"where,omitempty"`
	Message  string    `json:"message,omitempty"`
	Remedy   string    `json:"remedy,omitempty"`
	Line     string    `json:"line,omitempty"`    // the exception line
	LogLine  int       `json:"logline,omitempty"` // its number in the ServerApp's log, from 1

	File     string `json:"file,omitempty"` // of the app, in which it was raised
	FileLine int    `json:"fileline,omitempty"`
	Mend     string `json:"mend,omitempty"` // the file of the app that the remedy is about
}

// CauseCode names why a run ended, for programs. [CauseCodes] lists all of them; they are an enum in OpenAPI.
type CauseCode string

// The numbers are Flower's exit codes. The ServerApp wrote them into its log or ended with them; package diagnose reads them.
const (
	CausePrecondition CauseCode = "200" // the replies do not fit what the strategy needs
	CauseException    CauseCode = "201" // the ServerApp raised an exception
	CauseAggregation  CauseCode = "202" // the strategy could not aggregate the replies
	CauseConnection   CauseCode = "305" // the ServerApp lost its connection to the SuperLink
	CauseFlwrVersion  CauseCode = "606" // the app does not fit the installed flwr
	CauseAppImport    CauseCode = "607" // the app's components cannot be imported
	CauseDependencies CauseCode = "608" // the app's packages could not be installed
)

// What package diagnose reads from a ServerApp's log and from the replies of the SuperNodes.
const (
	CauseImport         CauseCode = "import"          // a module is missing
	CauseNetwork        CauseCode = "network"         // the server could not reach an address
	CauseOtherFlower    CauseCode = "flower_version"  // the app uses a part of Flower that is not installed
	CauseParticipants   CauseCode = "participants"    // most of the SuperNodes that were asked failed
	CauseNothingTrained CauseCode = "nothing_trained" // the run completed, but no SuperNode gave a reply without an error
	CauseServerApp      CauseCode = "serverapp"       // it failed; only the SuperLink says why, or nothing does
)

// What package diagnose reads from the end of the ServerApp's process.
const (
	CauseExit        CauseCode = "exit"         // another exit code, after it had asked SuperNodes
	CauseEarlyExit   CauseCode = "early_exit"   // it ended itself before it asked any, or before Flower finished the run
	CauseSignal      CauseCode = "signal"       // a signal that this server did not send
	CauseLauncher    CauseCode = "launcher"     // the launcher could not start it, or lost it
	CauseMemoryLimit CauseCode = "memory_limit" // it held more memory than the run's settings allow
	CauseDiskLimit   CauseCode = "disk_limit"   // its files took more disk than the server allows
	CauseSilent      CauseCode = "silent"       // its heartbeats stopped, so this server ended it
	CauseEndedHere   CauseCode = "ended_here"   // this server ended it for another reason
)

// The limits of a run. Package diagnose finds that one is passed; package drive then ends the run.
const (
	CauseWallLimit      CauseCode = "wall_limit"
	CauseFirstHeartbeat CauseCode = "first_heartbeat_limit"
	CauseRoundLimit     CauseCode = "round_limit"
	CauseNoProgress     CauseCode = "no_progress_limit"
	CauseLimit          CauseCode = "limit" // one of them; which one is no longer known after a restart
)

// What package drive ends a run with.
const (
	CauseStoppedBy        CauseCode = "stopped_by"        // someone stopped the run
	CauseStoppedOutside   CauseCode = "stopped_outside"   // it was stopped at the SuperLink
	CauseSuperLinkStopped CauseCode = "superlink_stopped" // its SuperLink was stopped
	CauseEngineLost       CauseCode = "engine_lost"       // the SuperLink no longer knows the run
	CauseRefused          CauseCode = "refused"           // the SuperLink refused to start it
	CauseNoUserID         CauseCode = "no_user_id"        // the server has no user ID left for its ServerApp
	CauseRestored         CauseCode = "restored"          // the server was restored from a backup made while it was in progress
)

// CauseCodes lists all codes, in the order of the OpenAPI enum.
func CauseCodes() []CauseCode {
	return []CauseCode{
		CausePrecondition, CauseException, CauseAggregation, CauseConnection, CauseFlwrVersion, CauseAppImport,
		CauseDependencies, CauseImport, CauseNetwork, CauseOtherFlower, CauseParticipants, CauseNothingTrained,
		CauseServerApp, CauseExit, CauseEarlyExit, CauseSignal, CauseLauncher, CauseMemoryLimit, CauseDiskLimit,
		CauseSilent, CauseEndedHere, CauseWallLimit, CauseFirstHeartbeat, CauseRoundLimit, CauseNoProgress,
		CauseLimit, CauseStoppedBy, CauseStoppedOutside, CauseSuperLinkStopped, CauseEngineLost, CauseRefused,
		CauseNoUserID, CauseRestored,
	}
}
