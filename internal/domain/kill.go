package domain

// KillReason is why this server ended a run's ServerApp; empty: it did not.
type KillReason string

// Reasons to end a ServerApp.
const (
	KilledStop    KillReason = "stop"         // its run was stopped, or belongs to no run of this server
	KilledLimit   KillReason = "limit"        // its run passed one of its limits
	KilledMemory  KillReason = "memory_limit" // its processes held more memory than its run allows
	KilledDisk    KillReason = "disk_limit"   // its files took more disk than an app may
	KilledSilence KillReason = "silence"      // the SuperLink had given it up
	KilledEngine  KillReason = "engine_stop"  // its federation's engine was stopped
)
