package applog

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

const before = "[ROUND 2/3]\naggregate_train: Received 2 results and 0 failures\n"

// What apps and strategies print as aggregated metrics is read whatever Python values it has: lists, arrays, dicts in dicts.
func TestParserReadsPrintedValues(t *testing.T) {
	for printed, want := range map[string][]string{
		"{'acc': [0.1, 0.2], 'loss': 0.5}":                                {"acc[0]=0.1", "acc[1]=0.2", "loss=0.5"},
		"{'acc': [np.float64(0.1), np.float32(0.25)]}":                    {"acc[0]=0.1", "acc[1]=0.25"},
		"{'acc': array([0.1, 0.2], dtype=float32), 'n': 3}":               {"acc[0]=0.1", "acc[1]=0.2", "n=3"},
		"{'acc': tensor(0.5000, device='cuda:0')}":                        {"acc=0.5"},
		"{'acc': tensor([0.5, 1.])}":                                      {"acc[0]=0.5", "acc[1]=1"},
		"{'acc': (0.1, -1e-05)}":                                          {"acc[0]=0.1", "acc[1]=-1e-05"},
		"{'per_class': {'cat': 0.1, 'dog': 0.2}, 3: 7}":                   {"per_class.cat=0.1", "per_class.dog=0.2", "3=7"},
		"{'cm': array([[5, 1],\n       [0, 6]]), 'x': 1}":                 {"cm[0]=5", "cm[1]=1", "cm[2]=0", "cm[3]=6", "x=1"},
		"{'cm': [[5, 1], [0, 6]]}":                                        {"cm[0]=5", "cm[1]=1", "cm[2]=0", "cm[3]=6"},
		"{'nan': [nan, inf, -inf], 'one': nan, 'two': float('inf')}":      {"nan[0]=NaN", "nan[1]=+Inf", "nan[2]=-Inf", "one=NaN"},
		"{'who': 'a}b, \\'c\\': 3', 'none': None, 'b': b'x', 'ok': True}": {"ok=1"},
		"OrderedDict([('a', 1), ('b', [2])])":                             {"a=1", "b[0]=2"},
		"defaultdict(<class 'float'>, {'a': 1.5})":                        {"a=1.5"},
		"{'empty': [], 'a': 1}":                                           {"a=1"},
		"{'words': ['x', 'y'], 'set': {1, 2}, 'a': 1}":                    {"a=1"},
		"{'acc': [0.1, 0.2":                                               {},
		"{'acc': ]}":                                                      {},
		"{'c': array([0., 1., 2., ..., 7.])}":                             {"c[0]=0", "c[1]=1", "c[2]=2", "c[3]=7"},
		"{'a':1,'b':-2}":                                                  {"a=1", "b=-2"},
	} {
		p := parseAll(before + "\t└──> Aggregated MetricRecord: " + printed + "\n[ROUND 3/3]")
		got := []string{}
		for _, s := range show(p.found) {
			got = append(got, strings.TrimPrefix(s, "2 train "))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", printed, d)
		}
		if p.round != 3 {
			t.Errorf("%s: the round after it is not seen", printed)
		}
	}
}

// A long list is cut at its limit, and what is left out is counted.
func TestParserCutsLongLists(t *testing.T) {
	p := parseAll(before + "Aggregated MetricRecord: {'acc': [" + strings.Repeat("0.5, ", 250) + "1.0]}")
	if len(p.found) != domain.MaxListMetric || p.dropped != 251-domain.MaxListMetric || p.found[99].Name != "acc[99]" {
		t.Errorf("%d found, %d dropped", len(p.found), p.dropped)
	}
	if len(p.names) != 1 {
		t.Errorf("a list counts as %d names", len(p.names))
	}
	deep := strings.Repeat("[", 5000)
	if p := parseAll(before + "Aggregated MetricRecord: {'acc': " + deep); len(p.found) != 0 {
		t.Errorf("%v", p.found)
	}
}

// The older API prints its aggregated metrics at the end only.
func TestParserReadsOlderHistories(t *testing.T) {
	p := parseAll(`INFO :      [ROUND 1]
INFO :      fit progress: (1, 0.5, {'accuracy': 0.8, 'per_class': [0.7, 0.9]}, 3.21)
INFO :      [SUMMARY]
INFO :      	History (loss, distributed):
INFO :      		round 1: 0.25
INFO :      		round 2: nan
INFO :      	History (metrics, distributed, fit):
INFO :      	{'train_acc': [(1, 0.5), (2, 0.625)],
INFO :      	 'per_class': [(1, [0.1, 0.2])]}
INFO :      	History (metrics, distributed, evaluate):
INFO :      	{'accuracy': [(1, 0.5)]}`)
	want := []string{"1 server loss=0.5", "1 server accuracy=0.8", "1 server per_class[0]=0.7", "1 server per_class[1]=0.9", "1 evaluate loss=0.25", "2 evaluate loss=NaN",
		"1 train train_acc=0.5", "2 train train_acc=0.625", "1 train per_class[0]=0.1", "1 train per_class[1]=0.2", "1 evaluate accuracy=0.5"}
	if d := cmp.Diff(want, show(p.found)); d != "" {
		t.Error(d)
	}
	if p.round != 1 {
		t.Errorf("the summary moved the round to %d", p.round)
	}
}

// Rounds are read as Flower and as apps print them, and nothing else is taken for one.
func TestParserReadsRounds(t *testing.T) {
	for text, want := range map[string]string{
		"[ROUND 1]\n[ROUND 2]":                  "2 of 0",
		"[ROUND 5]":                             "5 of 0", // taken up again
		"[ROUND 2/3]":                           "2 of 3",
		"[ROUND 1/2]\n[ROUND 2/2]\n[ROUND 1/5]": "3 of 7", // a second strategy
		"Starting round 2/7":                    "2 of 7",
		"INFO :      Starting round 1 / 7":      "1 of 7",
		"Round 1 of 4":                          "1 of 4",
		"=== Round 3/4 ===":                     "3 of 4",
		"2026-11-24 10:00:00,123 - app - INFO - Round: 2 / 4 done": "2 of 4",
		"Round [2/4]":      "2 of 4",
		"server_round=3/4": "3 of 4",
		"--- Round 1 ---\nloss 0.5\n--- Round 2 ---":   "2 of 0",
		"Starting federated training round 1":          "1 of 0",
		"Round 1: accuracy 0.5\nRound 2: accuracy 0.6": "2 of 0",
		"Global round 1 finished.":                     "1 of 0",
		"Round 1.":                                     "1 of 0",
		"Round 0/3\nRound 1/3\nRound 2/3":              "3 of 3",
		"Round 0/3: initial evaluation\nRound 1/3":     "1 of 3",
		"Round 0/3\nRound 1/3\nRound 2/3\nRound 3/3":   "3 of 3",
		"Round 2/3\nbest in round 1/3":                 "2 of 3",
		"Round 2.5 took long":                          "0 of 0",
		"Round 12 numbers up":                          "0 of 0",
		"rounding 1":                                   "0 of 0",
		"found 1/3 of them in the background 2/3":      "0 of 0",
		"Number of rounds: 3":                          "0 of 0",
		"a round 1 of it":                              "0 of 0",
		"Round 9/3":                                    "0 of 0",
		"Round 99999999999999999999/3":                 "0 of 0",
		"Round 1":                                      "1 of 0",
	} {
		p := parseAll(text)
		if got := fmt.Sprintf("%d of %d", p.round, p.rounds); got != want {
			t.Errorf("%q: round %s, want %s", text, got, want)
		}
	}
}

func FuzzReadPython(f *testing.F) {
	for _, s := range []string{"{'a': [1, nan], 'b': array([[1.]], dtype=x)}", "OrderedDict([('a', 1)])", "(1, {'x'", "<a>", "b'x", "a=", "{1: {2: 3}}", "-", "..."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, state := readPython(text)
		if state == pyWhole && v.kind == pyNumber && math.IsNaN(v.number) && !strings.Contains(strings.ToLower(text), "nan") {
			t.Errorf("%q is NaN", text)
		}
		if len(v.numbers(nil)) > len(text) {
			t.Errorf("%q has more numbers than bytes", text)
		}
	})
}
