package diagnose

import (
	"fmt"

	"blossomtune/internal/domain"
)

// byProcess returns the cause that the end of the process alone shows, whatever is in the log; false where it shows none.
func (f Facts) byProcess() (domain.Cause, bool) {
	t, c := f.Task, domain.Cause{Where: "ServerApp"}
	switch {
	case t.Reason != "":
		c.Code, c.Message, c.Remedy = domain.CauseLauncher, t.Reason, "Look at the keeper's log; then launch the run again."
	case t.OverMemory > 0:
		c.Code = domain.CauseMemoryLimit
		c.Message = fmt.Sprintf("The ServerApp held %d MB of memory; its limit is %d MB.", t.OverMemory/1_000_000, f.Run.Settings.MemoryMB)
		c.Remedy = "Launch it again with a higher limit, or with a smaller model or fewer participants in a round."
	case t.OverDisk > 0:
		c.Code = domain.CauseDiskLimit
		c.Message = fmt.Sprintf("The ServerApp's files took %d MB of disk; the limit is %d MB.", t.OverDisk/1_000_000, f.MaxDisk/1_000_000)
		c.Remedy = "Have the app keep fewer or smaller files, or ask the operator to raise the limit: --run-disk-mb or BLOSSOMTUNE_RUN_DISK_MB."
	case t.Killed == domain.KilledLimit:
		return f.limitCause(), true
	case t.Killed == domain.KilledSilence:
		c.Code, c.Message = domain.CauseSilent, "The SuperLink received no sign of life from the ServerApp, so this server ended it."
		if f.Engine.Details != "" {
			c.Message += " The SuperLink reports: " + firstLine(f.Engine.Details)
		}
		c.Remedy = "Check the end of its log. A computation in native code that never yields, or an overloaded machine, stops Flower's heartbeat."
	case t.Killed != "":
		c.Code, c.Message, c.Remedy = domain.CauseEndedHere, "This server ended the ServerApp.", "Launch the run again."
	case t.Signal != "":
		c.Code, c.Message, c.Remedy = domain.CauseSignal, fmt.Sprintf("The ServerApp was ended by %s.", t.Signal), signalRemedy(t.Signal)
	case t.Ended && t.ExitCode == 0 && t.ToldAt.IsZero():
		c.Code, c.Message = domain.CauseEarlyExit, "The ServerApp ended itself with exit code 0 before Flower finished the run."
		c.Remedy = "A ServerApp ends when its main function returns. Remove calls of sys.exit and os._exit from the app and add the new version."
	default:
		return c, false
	}
	return c, true
}

// limitCause returns the cause of a run whose ServerApp was ended for a limit before that was stored.
func (f Facts) limitCause() domain.Cause {
	if f.Limits != nil {
		if c, over := f.Limits.Passed(); over {
			return c
		}
	}
	return domain.Cause{Code: domain.CauseLimit, Where: "ServerApp", Message: "The run passed one of its limits, so this server ended it.",
		Remedy: "Launch it again with a higher limit."}
}

// signalRemedy says what to do about a signal that this server did not send. Only SIGKILL is how a system ends a process when it runs
// out of memory.
func signalRemedy(signal string) string {
	switch signal {
	case "SIGKILL":
		return "If no one killed it by hand, the machine may have run out of memory. Check its system log, or use a smaller model or fewer participants in a round."
	case "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT":
		return "Native code crashed. Check the end of the log and the versions of the packages that the app uses."
	}
	return "Something on the server's machine sent the signal. Launch the run again."
}
