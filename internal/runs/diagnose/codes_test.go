package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// byDrive are the codes that package drive gives; its tests have them.
var byDrive = []domain.CauseCode{domain.CauseStoppedBy, domain.CauseStoppedOutside, domain.CauseSuperLinkStopped, domain.CauseEngineLost,
	domain.CauseRefused, domain.CauseNoUserID, domain.CauseRestored}

func logOf(text string) (out []logfile.Line) {
	for i, l := range strings.Split(text, "\n") {
		out = append(out, logfile.Line{N: i + 1, Text: l})
	}
	return out
}

func traceback(raised string) []logfile.Line {
	return logOf("Traceback (most recent call last):\n  File \"/runs/1/work/app/server_app.py\", line 41, in main\n    go()\n" + raised)
}

func ended(code int) domain.Task { return domain.Task{Ended: true, Alive: true, ExitCode: code} }

// Facts of each kind give their cause, with words and the line that shows it; and no code is without a producer.
func TestEachCauseHasItsFacts(t *testing.T) {
	failed := []domain.Exchange{{NodeID: 7, Round: 2, Phase: domain.PhaseTrain, Failed: true, Error: "<class 'KeyError'>:<'x'>"}}
	seen := map[domain.CauseCode]bool{}
	for _, c := range []struct {
		code    domain.CauseCode
		facts   Facts
		message string
		logLine int
	}{
		{domain.CausePrecondition, Facts{Task: ended(1), Log: logOf("INFO : x\nExit Code: 200")}, "Replies of the participants do not fit", 2},
		{domain.CauseException, Facts{Task: ended(1), Log: traceback("KeyError: 'lr'")},
			"The ServerApp raised KeyError 'lr', server_app.py:41 in main", 4},
		{domain.CauseAggregation, Facts{Task: ended(202)}, "Aggregating the replies failed (exit code 202).", 0},
		{domain.CauseConnection, Facts{Task: ended(305)}, "The ServerApp lost its connection", 0},
		{domain.CauseFlwrVersion, Facts{Task: ended(606)}, "The app does not fit", 0},
		{domain.CauseAppImport, Facts{Task: ended(607)}, "The app cannot be imported", 0},
		{domain.CauseDependencies, Facts{Task: ended(608)}, "Installing the app's packages failed", 0},
		{domain.CauseImport, Facts{Task: ended(1), Log: traceback("ModuleNotFoundError: No module named 'torch'")},
			"The ServerApp cannot import torch", 4},
		{domain.CauseNetwork, Facts{Task: ended(1), Log: traceback("socket.gaierror: [Errno -2] Name or service not known")}, "The server ", 4},
		{domain.CauseOtherFlower,
			Facts{Task: ended(1), Flwr: "1.42.0", Log: traceback("ImportError: cannot import name 'start_client' from 'flwr.client' (x.py)")},
			"The app is written for another Flower version: flwr 1.42.0 has no", 4},
		{domain.CauseParticipants, Facts{Task: ended(1), Asked: failed, Keys: []domain.NodeKey{{NodeID: 7, Partition: 3}}},
			"Partition 3 raised KeyError.", 0},
		{domain.CauseServerApp, Facts{Task: domain.Task{Ended: true}, Engine: domain.EngineRun{Details: "no heartbeats\nx"}},
			"The ServerApp ended itself", 0},
		{domain.CauseExit, Facts{Task: ended(17)}, "The ServerApp ended with exit code 17.", 0},
		{domain.CauseEarlyExit, Facts{Task: ended(17), Unasked: true}, "The ServerApp ended before it asked any SuperNode, with exit code 17.",
			0},
		{domain.CauseEarlyExit, Facts{Task: domain.Task{Ended: true, ExitCode: 3}},
			"The ServerApp ended before its first heartbeat, with exit code 3.", 0},
		{domain.CauseSignal, Facts{Task: domain.Task{Ended: true, ExitCode: -1, Signal: "SIGKILL"}}, "The ServerApp was ended by SIGKILL.", 0},
		{domain.CauseLauncher, Facts{Task: domain.Task{Ended: true, ExitCode: -1, Reason: "No environment."}}, "No environment.", 0},
		{domain.CauseMemoryLimit, Facts{Task: domain.Task{Ended: true, ExitCode: -1, OverMemory: 2e6}}, "The ServerApp held 2 MB of memory", 0},
		{domain.CauseDiskLimit, Facts{MaxDisk: 3e6, Task: domain.Task{Ended: true, ExitCode: -1, OverDisk: 4e6}},
			"The ServerApp's files took 4 MB of disk; the limit is 3 MB.", 0},
		{domain.CauseSilent, Facts{Task: domain.Task{Ended: true, ExitCode: -1, Killed: domain.KilledSilence}},
			"The SuperLink received no sign of life", 0},
		{domain.CauseEndedHere, Facts{Task: domain.Task{Ended: true, ExitCode: -1, Killed: domain.KilledStop}},
			"This server ended the ServerApp.", 0},
		{domain.CauseLimit, Facts{Task: domain.Task{Ended: true, ExitCode: -1, Killed: domain.KilledLimit}}, "The run passed one of its limits",
			0},
	} {
		got := c.facts.Cause()
		if c.code == domain.CauseServerApp { // a process that has not ended: only the SuperLink says why
			c.facts.Task.Ended, c.message = false, "The SuperLink says: no heartbeats"
			got = c.facts.Cause()
		}
		if got.Code != c.code || !strings.HasPrefix(got.Message, c.message) || got.Remedy == "" || got.LogLine != c.logLine {
			t.Errorf("%s: got %+v", c.code, got)
		}
		seen[got.Code] = true
	}
	for code, got := range limits() {
		if got.Code != code || got.Message == "" || got.Remedy == "" {
			t.Errorf("%s: got %+v", code, got)
		}
		seen[got.Code] = true
	}
	seen[Facts{Run: domain.Run{Asked: 1}}.NothingTrained(nil).Code] = true
	for _, code := range domain.CauseCodes() {
		if seen[code] == slices.Contains(byDrive, code) {
			t.Errorf("%s has no facts here, or belongs to drive as well", code)
		}
	}
}

// limits are the causes of runs that passed one of their limits.
func limits() map[domain.CauseCode]domain.Cause {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	out := map[domain.CauseCode]domain.Cause{}
	for code, x := range map[domain.CauseCode]Situation{
		domain.CauseWallLimit: {Run: domain.Run{State: domain.Running,
			Settings: domain.RunSettings{Limits: domain.Limits{Wall: time.Minute}}}},
		domain.CauseFirstHeartbeat: {Run: domain.Run{State: domain.Starting,
			Settings: domain.RunSettings{Limits: domain.Limits{FirstHeartbeat: time.Minute}}}},
		domain.CauseRoundLimit: {Run: domain.Run{State: domain.Running, Settings: domain.RunSettings{Limits: domain.Limits{Round: time.Minute}}},
			Asked: []domain.Exchange{{NodeID: 7, Round: 1, Phase: domain.PhaseTrain, AskedAt: now.Add(-time.Hour)}}},
		domain.CauseNoProgress: {Run: domain.Run{State: domain.Running, RunningAt: now.Add(-time.Hour),
			Settings: domain.RunSettings{Limits: domain.Limits{NoProgress: time.Minute}}}},
	} {
		x.Now, x.Run.StartingAt = now, now.Add(-2*time.Minute)
		if c, over := x.Complete(now.Add(-time.Hour)).Passed(); over {
			out[code] = c
		}
	}
	return out
}
