package runs_test

import (
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store/storetest"
)

// Known failures are said with the key, package or participant that they are about, and with what to do.
func TestKnownFailuresAreSaidInFull(t *testing.T) {
	const traceback = "Traceback (most recent call last):\n  File \"/x/server_app.py\", line 41, in main\n"
	for name, c := range map[string]struct {
		output, message, remedy string
		sent                    map[uint64][]string
	}{
		"a key that is no config": {traceback + "KeyError: 'lr'\n", "The ServerApp raised KeyError 'lr', server_app.py:41; the run config lacks it", "Add lr to [tool.flwr.app.config]", nil},
		"a key of the config":     {traceback + "KeyError: 'num-server-rounds'\n", "The ServerApp raised KeyError 'num-server-rounds', server_app.py:41", "", nil},
		"no such version":         {"ERROR :     uv sync failed:   × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of numpy==9 and your project depends on numpy==9, we can conclude\n", "Installing numpy 9 failed: no such version", "Fix the dependency", nil},
		"no such package":         {"  ╰─▶ Because nosuch was not found in the package registry and your project depends on nosuch, we can\n", "Installing nosuch failed: the package index has no such package", "Fix the dependency", nil},
		"shapes":                  {traceback + "ValueError: operands could not be broadcast together with shapes (10,64) (12,64) \n", "Aggregation failed in round 1: shapes (10, 64) and (12, 64) do not fit", "Every participant", nil},
		"nobody's weight": {"flwr.serverapp.exception.InconsistentMessageReplies: Missing required key `num-examples` in the MetricRecord of reply messages. Cannot average\n",
			"Replies cannot be averaged: no participant sent num-examples", "Return it in train", map[uint64][]string{101: {"loss"}, 102: {"loss"}, 103: {"loss"}}},
		"one's weight": {"flwr.serverapp.exception.InconsistentMessageReplies: All MetricRecords must have the same keys for aggregation. This condition wasn't met.\n",
			"Replies cannot be averaged: partition 2 sent no num-examples", "Return it in train", map[uint64][]string{101: {"loss", "num-examples"}, 102: {"loss", "num-examples"}, 103: {"loss"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.nodes(3)
			run := w.running(domain.Limits{})
			var o domain.Observation
			for node, names := range c.sent {
				for _, n := range names {
					o.Metrics = append(o.Metrics, domain.Metric{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: 1, Phase: domain.PhaseTrain, NodeID: node, Name: n, Value: 1, At: time.Now()})
				}
			}
			if err := w.db.Record(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			w.engine.exit(1, c.output)
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Failed || !strings.HasPrefix(got.Cause.Message, c.message) || !strings.Contains(got.Cause.Remedy, c.remedy) || got.Cause.LogLine == 0 {
				t.Errorf("%s %+v, %v", got.State, got.Cause, err)
			}
			if name == "a key of the config" && strings.Contains(got.Cause.Message, "lacks it") {
				t.Errorf("the config has the key: %s", got.Cause.Message)
			}
		})
	}
}
