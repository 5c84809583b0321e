package diagnose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// What most of those who were asked failed of is the headline; else the ServerApp's own error is.
func TestWhatMostParticipantsFailedOf(t *testing.T) {
	raised := func(class, text string) string { return "<class '" + class + "'>:<'" + text + "'>" }
	const offline = "Error: Node Unavailable — The destination node failed to report a heartbeat"
	key := raised("KeyError", "'age'")
	for name, c := range map[string]struct {
		replies []string // by partition: "" is a good reply, "-" none
		exits   []domain.AppExit
		message string // "": no headline
		where   string
		all     bool
		remedy  string
	}{
		"all the same":         {replies: []string{key, key, key}, message: "All 3 participants raised KeyError 'age'.", where: "ClientApps", all: true, remedy: "Fix the app"},
		"one alone":            {replies: []string{key}, message: "Partition 0 raised KeyError.", where: "Partition 0", all: true, remedy: "log of the run on that machine"},
		"all but one":          {replies: []string{key, key, "", key}, message: "3 of 4 participants raised KeyError 'age'.", where: "ClientApps", remedy: "Fix the app"},
		"half":                 {replies: []string{key, ""}},
		"few":                  {replies: []string{key, "", ""}},
		"none":                 {replies: []string{"", "-"}},
		"no reply is no fault": {replies: []string{"-", "-"}},
		"what differs per machine": {replies: []string{raised("FileNotFoundError", "[Errno 2] No such file or directory: '/home/ada/part-0.csv'"), raised("FileNotFoundError", "[Errno 2] No such file or directory: '/srv/bob/part-1.csv'")},
			message: "Both participants raised FileNotFoundError [Errno …] No such file or directory: '…'.", where: "ClientApps", all: true, remedy: "Fix the app"},
		"different reasons":              {replies: []string{raised("ValueError", "x"), key, key, raised("TypeError", "y")}, message: "All 4 participants failed: partitions 1 and 2 raised KeyError 'age', and 2 more for 2 other reasons.", where: "ClientApps", all: true, remedy: "Fix the app"},
		"two reasons":                    {replies: []string{offline, key}, message: "Both participants failed: partition 0 went offline before it answered, and 1 more for 1 other reason.", where: "ClientApps", all: true, remedy: "starts the SuperNode"},
		"the same kind with other words": {replies: []string{key, raised("KeyError", "'weight'")}, message: "Both participants failed: partition 0 raised KeyError, and 1 more for 1 other reason.", where: "ClientApps", all: true, remedy: "log"},
		"offline":                        {replies: []string{offline, offline}, message: "Both participants went offline before they answered.", where: "ClientApps", all: true, remedy: "starts the SuperNode"},
		"a module":                       {replies: []string{raised("ModuleNotFoundError", "No module named 'torch'"), raised("ModuleNotFoundError", "No module named 'torch'")}, message: "Both participants failed to import torch.", where: "ClientApps", all: true, remedy: "installs torch"},
		"another Flower": {replies: []string{raised("ImportError", "cannot import name 'X' from 'flwr.common' (/home/ada/flwr/common/__init__.py)"), raised("ImportError", "cannot import name 'X' from 'flwr.common' (/srv/flwr/common/__init__.py)")},
			message: "Both participants failed to run the app: their Flower has no flwr.common.X, so the app is written for another Flower version.", where: "ClientApps", all: true, remedy: "Update the app"},
		"a hub": {replies: []string{
			raised("requests.exceptions.ConnectionError", `HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /a (Caused by NameResolutionError("HTTPSConnection(host='huggingface.co', port=443): Failed to resolve 'huggingface.co' ([Errno -2] Name or service not known)"))`),
			raised("requests.exceptions.ConnectionError", `HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /b (Caused by NameResolutionError("HTTPSConnection(host='huggingface.co', port=443): Failed to resolve 'huggingface.co' ([Errno -3] Temporary failure in name resolution)"))`)},
			message: "Both participants failed to reach huggingface.co: its name could not be resolved.", where: "ClientApps", all: true, remedy: "DNS"},
		"with the app's line": {replies: []string{key, key}, exits: []domain.AppExit{{NodeID: 101, Kind: "KeyError", File: "fault/client_app.py", FileLine: 12, Func: "train", Code: `row["age"]`}},
			message: "Both participants raised KeyError 'age', client_app.py:12 in train, “row[\"age\"]”.", where: "ClientApps", all: true, remedy: "Fix the app"},
		"what an agent tells of a load": {replies: []string{"An exception was raised when attempting to load `ClientApp`"}, exits: []domain.AppExit{{NodeID: 100, Kind: "LoadClientAppError"}}, message: "Partition 0 raised LoadClientAppError.", where: "Partition 0", all: true, remedy: "log"},
		"what an agent ended": {replies: []string{"The ClientApp ended without a reply: it used more memory than the participant allows.", "The ClientApp ended without a reply: it used more memory than the participant allows."},
			exits:   []domain.AppExit{{NodeID: 100, Kind: "MemoryLimit"}, {NodeID: 101, Kind: "MemoryLimit"}},
			message: "Both participants passed the memory limit that their owners have set.", where: "ClientApps", all: true, remedy: "smaller model"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []domain.Exchange
			var keys []domain.NodeKey
			at := time.Now()
			for p, r := range c.replies {
				e := domain.Exchange{Round: 1, Phase: domain.PhaseTrain, NodeID: uint64(100 + p), MessageID: fmt.Sprint(p), AskedAt: at}
				if r != "-" {
					e.RepliedAt, e.Failed, e.Error = at, r != "", r
				}
				asked = append(asked, e)
				keys = append(keys, domain.NodeKey{NodeID: e.NodeID, Partition: p})
			}
			f, ok := failedOf(asked, c.exits)
			if ok != (c.message != "") {
				t.Fatalf("%+v, %v", f, ok)
			}
			if !ok {
				return
			}
			got := f.cause(keys)
			if got.Message != c.message || got.Where != c.where || (len(f.nodes) == f.asked) != c.all || !strings.Contains(got.Remedy, c.remedy) {
				t.Errorf("%+v, all %v", got, len(f.nodes) == f.asked)
			}
		})
	}
}

// A SuperNode counts once, by what it was asked last; a phase in which all failed counts though another went well.
func TestOfWhatAPhaseFailed(t *testing.T) {
	at := time.Now()
	ask := func(node uint64, phase domain.Phase, after time.Duration, reply string) domain.Exchange {
		return domain.Exchange{Phase: phase, NodeID: node, AskedAt: at.Add(after), RepliedAt: at.Add(after), Failed: reply != "", Error: reply}
	}
	const bad = "<class 'KeyError'>:<''x''>"
	for name, c := range map[string]struct {
		asked []domain.Exchange
		want  int // who failed; 0: no headline
	}{
		"later messages went well":    {[]domain.Exchange{ask(1, domain.PhaseTrain, 0, bad), ask(1, domain.PhaseTrain, 1, ""), ask(2, domain.PhaseTrain, 0, "")}, 0},
		"the last message failed":     {[]domain.Exchange{ask(1, domain.PhaseTrain, 1, bad), ask(1, domain.PhaseTrain, 0, ""), ask(2, domain.PhaseTrain, 1, bad), ask(2, domain.PhaseTrain, 0, "")}, 2},
		"training failed":             {[]domain.Exchange{ask(1, domain.PhaseTrain, 0, bad), ask(1, domain.PhaseEvaluate, 1, "")}, 1},
		"evaluation failed":           {[]domain.Exchange{ask(1, domain.PhaseTrain, 0, ""), ask(1, domain.PhaseEvaluate, 1, bad)}, 1},
		"queries of the app's failed": {[]domain.Exchange{ask(1, domain.PhaseOther, 0, bad)}, 1},
	} {
		f, ok := failedOf(c.asked, nil)
		if ok != (c.want > 0) || len(f.nodes) != c.want {
			t.Errorf("%s: %+v, %v", name, f, ok)
		}
	}
}
