package runs_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// replied stores what partitions 0, 1 … replied to training in a round: "" is a good reply.
func (w *world) replied(run domain.Run, round int, replies ...string) {
	w.t.Helper()
	var o domain.Observation
	now := time.Now()
	for p, r := range replies {
		o.Exchanges = append(o.Exchanges, domain.Exchange{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: uint64(101 + p),
			MessageID: fmt.Sprintf("m%d-%d", round, p), AskedAt: now, RepliedAt: now, Failed: r != "", Error: r})
	}
	if err := w.db.Record(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

const raisedHere = "ERROR :     ServerApp raised an exception\nTraceback (most recent call last):\n  File \"/py/lib/python3.11/site-packages/flwr/superlink/runtime/run_serverapp.py\", line 9, in run\n    go()\n" +
	"  File \"/x/apps/p.a.1.0.0.deadbeef/fault/server_app.py\", line 41, in main\n    "

// When the participants failed, their reason is the headline; the ServerApp's own error is where most of them replied well, or where it
// has nothing to do with replies.
func TestParticipantsFailuresAreTheHeadline(t *testing.T) {
	const bad = "<class 'KeyError'>:<''age''>"
	const divides = raisedHere + "mean = total / n\n           ~~~~~~^~~\nZeroDivisionError: division by zero\n"
	for name, c := range map[string]struct {
		log             string
		replies         []string
		code            domain.CauseCode
		message, remedy string
		line            string // of the log that the card leads to
	}{
		"all":                              {"INFO :      \t> Received error in reply from node 101: " + bad + "\n" + divides, []string{bad, bad, bad}, "participants", "All 3 participants raised KeyError 'age'.", "The ZeroDivisionError that the ServerApp raised afterwards", "Received error in reply"},
		"most":                             {divides, []string{bad, bad, ""}, "participants", "2 of 3 participants raised KeyError 'age'.", "Fix the app", "ZeroDivisionError"},
		"few":                              {divides, []string{bad, "", ""}, "201", "The ServerApp raised ZeroDivisionError division by zero, server_app.py:41 in main (exit code 201).", "Fix the app at that line", "ZeroDivisionError"},
		"all, and a key that is no config": {raisedHere + "loss = metrics[\"train_loss\"]\nKeyError: 'train_loss'\n", []string{bad, bad, bad}, "participants", "All 3 participants raised KeyError 'age'.", "The KeyError that", "KeyError"},
		"most, and an error of its own":    {raisedHere + "import torch\nModuleNotFoundError: No module named 'torch'\n", []string{bad, bad, ""}, "import", "The ServerApp cannot import torch, server_app.py:41 in main (exit code 201).", "pyproject.toml", "No module named"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.nodes(3)
			run := w.running(domain.Limits{})
			w.replied(run, 1, c.replies...)
			w.engine.exit(1, c.log+"ERROR :     Exit Code: 201\n")
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Failed || got.Cause.Code != c.code || got.Cause.Message != c.message || !strings.Contains(got.Cause.Remedy, c.remedy) {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
			if lines, _, err := w.server.Log(t.Context(), got, got.Cause.LogLine, 1); err != nil || len(lines) != 1 || !strings.Contains(lines[0].Text, c.line) {
				t.Errorf("line %d is %v, %v", got.Cause.LogLine, lines, err)
			}
		})
	}
}

// What a ServerApp raised in a library is told with the app's own line; network errors and other versions of Flower say what they need.
func TestServerAppExceptionsAreTold(t *testing.T) {
	const below = "  File \"/py/lib/python3.11/site-packages/lib/x.py\", line 7, in f\n    g()\n"
	for name, c := range map[string]struct {
		log                   string
		code                  domain.CauseCode
		message, remedy, mend string
	}{
		"in a library": {raisedHere + "model.fit(x, y)\n" + below + "ValueError: Found array with 0 sample(s)\n", "201",
			"The ServerApp raised ValueError Found array with 0 sample(s), server_app.py:41 in main, “model.fit(x, y)” (exit code 201).", "Fix the app at that line", ""},
		"a key of a library's":  {raisedHere + "frame[\"age\"]\n" + below + "KeyError: 'age'\n", "201", "The ServerApp raised KeyError 'age', server_app.py:41 in main, “frame[\"age\"]” (exit code 201).", "", ""},
		"a key of some mapping": {raisedHere + "x = totals[\"age\"]\nKeyError: 'age'\n", "201", "The ServerApp raised KeyError 'age', server_app.py:41 in main (exit code 201).", "", ""},
		"from another": {raisedHere + "load()\nKeyError: 'x'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/x/apps/p.a.1.0.0.deadbeef/fault/server_app.py\", line 50, in main\n    raise RuntimeError(\"no data\") from err\nRuntimeError: no data\n",
			"201", "The ServerApp raised RuntimeError no data, server_app.py:50 in main; its cause was KeyError 'x' (exit code 201).", "Fix", ""},
		"another Flower": {raisedHere + "from flwr.common import ndarrays_to_nothing\nImportError: cannot import name 'ndarrays_to_nothing' from 'flwr.common' (/py/lib/python3.11/site-packages/flwr/common/__init__.py)\n", "flower_version",
			"The app is written for another Flower version: flwr 1.42.0 has no flwr.common.ndarrays_to_nothing, server_app.py:41 in main; its pyproject.toml asks for flwr>=1.8,<1.9 (exit code 201).", "Update the app for Flower 1.42.0", ""},
		"another Flower, wrapped": {raisedHere + "x()\nAttributeError: module 'flwr.server' has no attribute 'start_nothing'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/x/y.py\", line 50, in main\n    raise\nRuntimeError: no\n", "flower_version",
			"The app is written for another Flower version: flwr 1.42.0 has no flwr.server.start_nothing, server_app.py:41 in main; its pyproject.toml asks for flwr>=1.8,<1.9 (exit code 201).", "Update the app for Flower 1.42.0", ""},
		"a hub": {raisedHere + "load_dataset(\"some/data\")\n" + below + "ConnectionError: Couldn't reach 'some/data' on the Hub (LocalEntryNotFoundError)\n", "network",
			"The server failed to reach the Hugging Face Hub, server_app.py:41 in main, “load_dataset(\"some/data\")” (exit code 201).", "internet access", ""},
		"Flower's own connection": {raisedHere + "grid.send_and_receive(m)\n  File \"/py/lib/python3.11/site-packages/flwr/superlink/grid/http.py\", line 7, in f\n    g()\n  File \"/py/lib/python3.11/site-packages/httpx/x.py\", line 7, in f\n    g()\nhttpx.ConnectError: [Errno 111] Connection refused\n", "201",
			"The ServerApp raised ConnectError [Errno 111] Connection refused, server_app.py:41 in main, “grid.send_and_receive(m)” (exit code 201).", "Fix", ""},
		"secure aggregation": {"INFO :      [ROUND 2]\nINFO :      Secure aggregation commencing.\nERROR :     Insufficient available nodes.\nINFO :      Secure aggregation halted.\n" + raisedHere + "h[-1]\nIndexError: list index out of range\n", "201",
			"Secure aggregation halted in round 2: too few SuperNodes stayed until its end (exit code 201).", "splits each key into 3 shares and needs 2 of them", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.nodes(3)
			w.source(t, map[string]string{"pyproject.toml": "[project]\ndependencies = [\"flwr-datasets>=0.5\", \"flwr[simulation] >= 1.8, <1.9\"]\n", "fault/server_app.py": "w = SecAggPlusWorkflow(num_shares=3, reconstruction_threshold=2)\n"})
			run := w.running(domain.Limits{})
			w.replied(run, 2, "", "", "")
			w.engine.exit(1, c.log+"ERROR :     Exit Code: 201\n")
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Failed || got.Cause.Code != c.code || got.Cause.Message != c.message || !strings.Contains(got.Cause.Remedy, c.remedy) || got.Cause.Mend != c.mend {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
		})
	}
}

// source makes files the content of the world's app.
func (w *world) source(t *testing.T, files map[string]string) {
	t.Helper()
	var fab bytes.Buffer
	z := zip.NewWriter(&fab)
	for name, text := range files {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w.app = fmt.Sprintf("%064d", 8)
	err := w.db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.PutAppVersion(t.Context(), domain.AppVersion{Hash: w.app, Publisher: "p", Name: "n", Version: "2.0.0", FAB: fab.Bytes(), Config: []domain.ConfigKey{{Key: "num-server-rounds", Kind: domain.KindInt, Default: int64(1)}, {Key: "num-shares", Kind: domain.KindInt, Default: int64(3)}}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A ClientApp that was written for another Flower is told with the version that its SuperNodes have and the one that it asks for.
func TestParticipantsWithAnotherFlower(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.nodes(2)
	w.source(t, map[string]string{"pyproject.toml": "[project]\ndependencies = [\"flwr[simulation] >= 1.8, <1.9\"]\n"})
	for p := range 2 {
		err := w.db.InTx(t.Context(), func(tx *store.Tx) error {
			keys, err := tx.NodeKeys(t.Context(), w.fed.ID)
			if err != nil {
				return err
			}
			seen := keys[p].Seen
			seen.Flwr, seen.Agent = "1.42.0", "1.0"
			return tx.UpdateNodeMachine(t.Context(), keys[p].ID, seen)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run := w.running(domain.Limits{})
	const bad = "<class 'ModuleNotFoundError'>:<'No module named 'flwr.client.nothing''>"
	w.replied(run, 1, bad, bad)
	w.engine.exit(1, raisedHere+"x()\nZeroDivisionError: division by zero\n")
	w.until(run.ID, hasEnded)
	const want = "Both participants failed to run the app: their Flower has no flwr.client.nothing, so the app is written for another Flower version; installed there: flwr 1.42.0; its pyproject.toml asks for flwr>=1.8,<1.9."
	if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.Cause.Message != want {
		t.Errorf("%+v, %v", got.Cause, err)
	}
}
