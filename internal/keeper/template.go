package keeper

import "blossomtune/internal/logfile"

// Fork is what a [Template] makes a process of itself for.
type Fork struct {
	Args    []string // as the template's program understands them
	Dir     string
	LogFile string // as of a [Command]
	Log     logfile.Keep
	CPUs    []int // as of a [Command]
}
