package diagnose

import (
	"archive/zip"
	"bytes"
	"testing"
)

// What an app needs of the number of SuperNodes is read where its source says it: as a number, a key of the run config, or a name.
func TestNeedsOfAnApp(t *testing.T) {
	config := map[string]any{"num-shares": int64(5), "share": 0.6, "threshold": int64(3), "min-nodes": int64(4)}
	for name, c := range map[string]struct {
		source            string
		nodes             int
		shares, threshold int // 0: not known
		least             int
	}{
		"numbers":                    {"SecAggPlusWorkflow(num_shares=3, reconstruction_threshold=2)", 4, 3, 2, 0},
		"by position":                {"SecAggPlusWorkflow(5, 3)", 5, 5, 3, 0},
		"the config":                 {"w = SecAggPlusWorkflow(\n    num_shares=context.run_config[\"num-shares\"],\n    reconstruction_threshold=int(context.run_config.get('threshold', 2)),\n    max_weight=9.0,\n)", 5, 5, 3, 0},
		"names":                      {"num_shares = context.run_config[\"num-shares\"]\nthreshold: int = 4\nSecAggPlusWorkflow(num_shares=num_shares, reconstruction_threshold=threshold)", 5, 5, 4, 0},
		"parts":                      {"SecAggPlusWorkflow(num_shares=1.0, reconstruction_threshold=0.5)", 5, 5, 2, 0},
		"one is a part":              {"SecAggPlusWorkflow(num_shares=1, reconstruction_threshold=1)", 4, 4, 4, 0},
		"an odd number":              {"SecAggPlusWorkflow(num_shares=0.6, reconstruction_threshold=0.5)", 10, 7, 4, 0}, // round(6) is even: 7
		"a part of the config":       {"SecAggPlusWorkflow(num_shares=context.run_config['share'], reconstruction_threshold=0.5)", 10, 7, 4, 0},
		"SecAgg":                     {"SecAggWorkflow(reconstruction_threshold=0.6)", 5, 5, 3, 0},
		"SecAgg by position":         {"SecAggWorkflow(3)", 5, 5, 3, 0},
		"computed":                   {"SecAggPlusWorkflow(num_shares=n + 1, reconstruction_threshold=2)", 5, 0, 0, 0},
		"not closed":                 {"SecAggPlusWorkflow(num_shares=3", 5, 0, 0, 0},
		"itself":                     {"x = x\nSecAggPlusWorkflow(num_shares=x, reconstruction_threshold=2)", 5, 0, 0, 0},
		"one SuperNode":              {"SecAggPlusWorkflow(num_shares=3, reconstruction_threshold=2)", 1, 0, 0, 0},
		"older FedAvg":               {"from flwr.server.strategy import FedAvg\ns = FedAvg(fraction_fit=1.0, min_available_clients=3)", 0, 0, 0, 3},
		"older FedAvg of the config": {"from flwr.server.strategy import FedProx\ns = FedProx(proximal_mu=0.1, min_available_clients=int(cfg[\"min-nodes\"]))", 0, 0, 0, 4},
		"older FedAvg's default":     {"from flwr.server.strategy import FedAvg\ns = FedAvg(fraction_fit=1.0)", 0, 0, 0, 2},
		"newer FedAvg":               {"from flwr.serverapp.strategy import FedAvg\ns = FedAvg(min_available_nodes=3)", 0, 0, 0, 0},
		"nothing":                    {"print()", 5, 0, 0, 0},
	} {
		var fab bytes.Buffer
		z := zip.NewWriter(&fab)
		f, err := z.Create("fault/server_app.py")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(c.source)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		n := NeedsOf(fab.Bytes(), config)
		shares, threshold, _ := n.secure(c.nodes)
		least := 0
		if n.least.known {
			least = int(n.least.value)
		}
		if shares != c.shares || threshold != c.threshold || least != c.least {
			t.Errorf("%s: %d shares, threshold %d, at least %d: %+v", name, shares, threshold, least, n)
		}
	}
}
