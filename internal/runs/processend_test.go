package runs_test

import (
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/store/storetest"
)

// How the process of a ServerApp ended decides the cause: at once, with the reason of whoever ended it, and with the machine's memory
// only where that can have been it.
func TestTheEndOfAServerAppIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		end     func(*domain.Task)
		state   domain.RunState
		code    domain.CauseCode
		message string
		memory  bool // the remedy is about the machine's memory
	}{
		"it exits with 0 and reports nothing": {func(t *domain.Task) { t.ExitCode = 0 }, domain.Failed, "early_exit",
			"The ServerApp ended itself with exit code 0 before Flower finished the run.", false},
		"it exits with 0 when it is stopped for silence": {func(t *domain.Task) {
			t.ExitCode, t.ToldAt, t.Killed = 0, time.Now(),
				domain.KilledSilence
		},
			domain.Failed, "silent", "The SuperLink received no sign of life from the ServerApp, so this server ended it.", false},
		"SIGKILL of someone else": {func(t *domain.Task) { t.Signal = "SIGKILL" }, domain.Failed, "signal",
			"The ServerApp was ended by SIGKILL.", true},
		"SIGSEGV": {func(t *domain.Task) { t.Signal = "SIGSEGV" }, domain.Failed, "signal",
			"The ServerApp was ended by SIGSEGV.", false},
		"SIGTERM of someone else": {func(t *domain.Task) { t.Signal = "SIGTERM" }, domain.Failed, "signal",
			"The ServerApp was ended by SIGTERM.", false},
		"our limit on memory": {func(t *domain.Task) { t.Signal, t.Killed, t.OverMemory = "SIGKILL", domain.KilledMemory, 3_000_000 },
			domain.Failed, "memory_limit", "The ServerApp held 3 MB of memory; its limit is 0 MB.", false},
		"our limit on disk": {func(t *domain.Task) { t.Signal, t.Killed, t.OverDisk = "SIGKILL", domain.KilledDisk, 3_000_000 },
			domain.Failed, "disk_limit", "The ServerApp's files took 3 MB of disk; the limit is 0 MB.", false},
		"our stop": {func(t *domain.Task) { t.Signal, t.Killed = "SIGKILL", domain.KilledStop }, domain.Failed, "ended_here",
			"This server ended the ServerApp.", false},
		"an engine that stops": {func(t *domain.Task) { t.Signal, t.Killed = "SIGKILL", domain.KilledEngine }, domain.Stopped,
			"superlink_stopped", "The federation's SuperLink was stopped.", false},
		"a limit that has gone": {func(t *domain.Task) { t.Signal, t.Killed = "SIGKILL", domain.KilledLimit }, domain.Failed, "limit",
			"The run passed one of its limits, so this server ended it.", false},
		"a keeper that died": {func(t *domain.Task) { t.Reason = "It was lost." }, domain.Failed, "launcher", "It was lost.", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			run := w.launch("r1")
			w.until(run.ID, isRunning)
			w.engine.ends(c.end)
			if _, err := w.server.Step(t.Context(), w.fed.ID); err != nil {
				t.Fatal(err)
			}
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.State != c.state || got.Cause.Code != c.code || got.Cause.Message != c.message || got.Cause.Remedy == "" {
				t.Errorf("it is %s: %+v", got.State, got.Cause)
			}
			if m := strings.Contains(got.Cause.Remedy, "out of memory"); m != c.memory {
				t.Errorf("the remedy is %q", got.Cause.Remedy)
			}
			for _, r := range w.engine.runs {
				if !r.Finished() {
					t.Error("the engine run is left")
				}
			}
		})
	}
}

// A ServerApp that reported its end and exits with 0 is waited for at the SuperLink: "completed" is never a guess.
func TestAServerAppThatReportedItsEndIsNotGuessedAt(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	run := w.launch("r1")
	w.until(run.ID, isRunning)
	w.engine.ends(func(t *domain.Task) { t.ExitCode, t.ToldAt = 0, time.Now() })
	for range 3 {
		if _, err := w.server.Step(t.Context(), w.fed.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Running {
		t.Fatalf("it is %s, %v: %+v", got.State, err, got.Cause)
	}
	w.engine.runs[0].Status, w.engine.runs[0].SubStatus = "finished", "completed"
	w.until(run.ID, hasEnded)
	if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Completed {
		t.Errorf("it is %s, %v: %+v", got.State, err, got.Cause)
	}
}

// A server that dies between the end of a ServerApp for a limit and storing that still names the limit.
func TestALimitIsNamedAfterARestart(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	run, err := w.server.Launch(t.Context(), domain.System, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "r1", Limits: &domain.Limits{Wall: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	w.until(run.ID, isRunning)
	later := time.Now().Add(2 * time.Hour)
	w.fixed.Store(&later)
	w.engine.ends(func(t *domain.Task) { t.Signal, t.Killed = "SIGTERM", domain.KilledLimit })
	w.until(run.ID, hasEnded)
	if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Failed || got.Cause.Code != "wall_limit" {
		t.Errorf("it is %s, %v: %+v", got.State, err, got.Cause)
	}
}
