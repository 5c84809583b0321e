package applog

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"

	"github.com/google/go-cmp/cmp"
)

func parseAll(text string) *Parser {
	p := &Parser{}
	for i, l := range strings.Split(text, "\n") {
		p.Line(logfile.Line{N: i + 1, Text: l})
	}
	return p
}

func show(ms []domain.Metric) []string {
	out := []string{}
	for _, m := range ms {
		out = append(out, fmt.Sprintf("%d %s %s=%v", m.Round, m.Phase, m.Name, m.Value))
	}
	return out
}

// The lines are those that flwr 1.42 prints, colours included; the end-to-end tests compare with a real run.
const newAPILog = "\x1b[92mINFO \x1b[0m:      Starting FedAvg strategy:\n" +
	"\x1b[92mINFO \x1b[0m:      Initial global evaluation results: {'accuracy': 0.1, 'loss': 2.3026}\n" +
	"\x1b[92mINFO \x1b[0m:      \n" +
	"\x1b[92mINFO \x1b[0m:      [ROUND 1/2]\n" +
	"\x1b[92mINFO \x1b[0m:      configure_train: Sampled 2 nodes (out of 2)\n" +
	"\x1b[92mINFO \x1b[0m:      aggregate_train: Received 2 results and 0 failures\n" +
	"\x1b[92mINFO \x1b[0m:      \t└──> Aggregated MetricRecord: {'train_loss': 1.5, 'grad': nan}\n" +
	"\x1b[92mINFO \x1b[0m:      aggregate_evaluate: Received 2 results and 0 failures\n" +
	"\x1b[92mINFO \x1b[0m:      \t└──> Aggregated MetricRecord: {'accuracy': 0.5}\n" +
	"\x1b[92mINFO \x1b[0m:      Global evaluation\n" +
	"\x1b[92mINFO \x1b[0m:      \t└──> MetricRecord: {'accuracy': 0.75, 'loss': 1e-05}\n" +
	"\x1b[92mINFO \x1b[0m:      [ROUND 2/2]\n" +
	"an app printing \t└──> MetricRecord: {'x': 1} by itself\n"

func TestParserReadsNewAPI(t *testing.T) {
	p := parseAll(newAPILog)
	want := []string{"0 server accuracy=0.1", "0 server loss=2.3026", "1 train train_loss=1.5", "1 train grad=NaN", "1 evaluate accuracy=0.5", "1 server accuracy=0.75", "1 server loss=1e-05"}
	if d := cmp.Diff(want, show(p.found)); d != "" {
		t.Error(d)
	}
	if p.round != 2 || p.rounds != 2 {
		t.Errorf("round %d of %d", p.round, p.rounds)
	}
}

func TestParserReadsOlderAPI(t *testing.T) {
	p := parseAll(`INFO :      initial parameters (loss, other metrics): 2.5, {'accuracy': 0.1}
INFO :      [ROUND 1]
INFO :      aggregate_fit: received 2 results and 0 failures
INFO :      fit progress: (1, 0.5, {'accuracy': 0.8}, 3.21)
INFO :      [SUMMARY]
INFO :      	History (loss, distributed):
INFO :      		round 1: 0.25
INFO :      	History (loss, centralized):
INFO :      		round 0: 2.5`)
	want := []string{"0 server loss=2.5", "0 server accuracy=0.1", "1 server loss=0.5", "1 server accuracy=0.8", "1 evaluate loss=0.25"}
	if d := cmp.Diff(want, show(p.found)); d != "" {
		t.Error(d)
	}
}

func FuzzParser(f *testing.F) {
	f.Add(newAPILog)
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseAll(text).found {
			if m.Name == "" || m.Round < 0 || math.IsInf(m.Value, 0) && !strings.Contains(strings.ToLower(text), "inf") {
				t.Errorf("odd metric %+v", m)
			}
		}
	})
}
