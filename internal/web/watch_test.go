package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// What was measured leaves as CSV and JSON: every number once, NaN and infinities spelled out, nothing that a spreadsheet runs.
func TestMetricsLeaveAsTheyAre(t *testing.T) {
	s := newSite(t)
	s.Enrol(7)
	m := func(round int, node uint64, name string, v float64) domain.Metric {
		return domain.Metric{Round: round, Phase: domain.PhaseTrain, NodeID: node, Name: name, Value: v}
	}
	s.Observe(s.Server.DB, domain.Observation{Metrics: []domain.Metric{m(1, 7, "loss", 0.1), m(1, 0, "loss", -2.5),
		m(2, 7, "loss", math.NaN()), m(3, 7, "loss", math.Inf(1)), m(4, 7, "loss", math.Inf(-1)), m(1, 7, "=HYPERLINK(0)", 1),
		m(1, 9, "a,b\"c", 1e-300)}})
	want := map[string]string{"1 partition 0 loss": "0.1", "1  loss": "-2.5", "2 partition 0 loss": "NaN", "3 partition 0 loss": "Infinity", "4 partition 0 loss": "-Infinity", "1 partition 0 '=HYPERLINK(0)": "1", "1  a,b\"c": "1e-300"}
	for _, path := range []string{"/f/fed/runs/r-1/metrics.csv", "/api/v1/runs/r-1/metrics.csv"} {
		a := s.Get("participant", path)
		rows, err := csv.NewReader(strings.NewReader(a.Body)).ReadAll()
		if err != nil || a.Status != http.StatusOK || !strings.Contains(a.Header.Get("Content-Disposition"), "metrics-r-1.csv") {
			t.Fatalf("%s: %d %v %v", path, a.Status, err, a.Header)
		}
		got := map[string]string{}
		for _, row := range rows[1:] {
			got[row[0]+" "+row[2]+" "+row[4]] = row[5]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\n%v, want\n%v", path, got, want)
		}
	}
	var list []struct {
		Participant, Name string
		Value             any
	}
	if err := json.Unmarshal([]byte(s.Get("participant", "/f/fed/runs/r-1/metrics.json").Body), &list); err != nil || len(list) != len(want) {
		t.Fatal(err, list)
	}
	if !slices.ContainsFunc(list, func(e struct {
		Participant, Name string
		Value             any
	}) bool {
		return e.Value == "-Infinity" && e.Participant == "partition 0"
	}) {
		t.Errorf("JSON: %+v", list)
	}
}

// The charts' feed has a window of rounds and what has changed since; what the limits left out is in it.
func TestTheChartsGetWindows(t *testing.T) {
	s := newSite(t)
	var all []domain.Metric
	for round := 1; round <= 1000; round++ {
		for node := range uint64(3) {
			all = append(all, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, NodeID: node + 1, Name: "acc", Value: float64(round) + float64(node)})
		}
	}
	s.Observe(s.Server.DB, domain.Observation{Metrics: all, Dropped: 12})
	type feed struct {
		Upto, Dropped     int64
		Size, First, Last int
		Series            []struct {
			Rounds    []int
			Low, High []float64
			People    []struct {
				Node   string
				Values []float64
			}
		}
	}
	get := func(query string) (f feed) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.Get("participant", "/f/fed/runs/r-1/charts.json?"+query).Body), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	until := func(query string, ok func(feed) bool) (f feed) { // numbers are summed up in the background
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			if f = get(query); ok(f) || time.Now().After(deadline) {
				return f
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	whole := until("", func(f feed) bool { return f.Last == 1000 })
	if whole.Dropped != 12 || whole.Size != 3 || whole.First != 1 || whole.Last != 1000 || len(whole.Series) != 1 || len(whole.Series[0].Rounds) != 334 {
		t.Fatalf("%+v", whole)
	}
	if one := whole.Series[0]; one.Rounds[1] != 5 || one.Low[1] != 3 || one.High[1] != 7 {
		t.Errorf("the second point is round %d, %v to %v, want the last of 3 to 5 and all of them", one.Rounds[1], one.Low[1], one.High[1])
	}
	if near := get("from=10&to=20&rank=high"); near.Size != 1 || len(near.Series[0].Rounds) != 11 || len(near.Series[0].People) != 3 || near.Series[0].People[0].Node != "3" {
		t.Errorf("a window: %+v", near)
	}
	s.Observe(s.Server.DB, domain.Observation{Metrics: []domain.Metric{{Round: 1001, Phase: domain.PhaseEvaluate, NodeID: 1, Name: "acc",
		Value: 5}}})
	if late := until(fmt.Sprint("after=", whole.Upto), func(f feed) bool { return len(f.Series) > 0 }); len(late.Series) != 1 || len(late.Series[0].Rounds) != 1 || late.Series[0].Rounds[0] != 1001 {
		t.Errorf("what is new: %+v", late)
	}
	if none := get(fmt.Sprint("after=", whole.Upto+1)); len(none.Series) != 0 {
		t.Errorf("nothing is new: %+v", none)
	}
}

// A round of the run is shown from what the gateway saw, by address.
func TestARoundIsShown(t *testing.T) {
	s := newSite(t)
	s.Enrol(7)
	now := time.Now().UTC()
	e := domain.Exchange{FederationID: s.Fed.ID, EngineRunID: s.Run.EngineRunID, MessageID: "m", Round: 1, Phase: domain.PhaseTrain,
		NodeID: 7, AskedAt: now, RepliedAt: now.Add(10 * time.Second)}
	failed := e
	failed.MessageID, failed.Round, failed.Failed, failed.AskedAt, failed.RepliedAt = "n", 2, true, now.Add(12*time.Second), now.Add(13*time.Second)
	s.Observe(s.Server.DB, domain.Observation{Exchanges: []domain.Exchange{e, failed}})
	err := s.Server.Seen.SaveTimings(t.Context(), []domain.Timing{{FederationID: s.Fed.ID, EngineRunID: s.Run.EngineRunID, MessageID: "m",
		NodeID: 7, GetAt: now.Add(time.Second), GotAt: now.Add(2 * time.Second), PutAt: now.Add(8 * time.Second),
		SentAt: now.Add(9 * time.Second), Up: 1_500_000, Down: 2_500_000}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/f/fed/runs/r-1":                {"1.5 MB up, 2.5 MB down", `id="rounds"`, "failed, 1.0 s"},
		"/f/fed/runs/r-1/rounds?round=1": {"train: 6.0 s", "download: 1.0 s", "upload: 1.0 s", "aggregate: 2.0 s", "took 12.0 s", `data-round="1"`, `data-last="2"`},
		"/f/fed/runs/r-1?round=1":        {"train: 6.0 s"},
		"/f/fed/runs/r-1/rounds":         {`data-round="2"`, "partition 0, 1 × trained, 1 × failed"},
		"/f/fed/runs/r-1/rounds?round=9": {`data-round="2"`},
	} {
		a := s.Get("participant", path)
		for _, w := range want {
			if a.Status != http.StatusOK || !strings.Contains(a.Body, w) {
				t.Errorf("%s: %d, without %q", path, a.Status, w)
			}
		}
	}
	if a := s.Get("participant", "/api/v1/runs/r-1/rounds/1"); !strings.Contains(a.Body, `"put":`) ||
		!strings.Contains(a.Body, `"node_id":"7"`) {
		t.Error(a.Body)
	}
}

// While a keeper stores replies of 2,000 metrics each, one after the other, the run's page and its charts stay fast.
func TestPagesStayFastWhileMetricsPourIn(t *testing.T) {
	s := newSite(t)
	keeper, err := store.Open(t.Context(), s.Config.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		for round := 1; ; round++ {
			select {
			case <-stop:
				ended <- round
				return
			default:
			}
			var ms []domain.Metric
			for i := range domain.MaxReplyMetrics {
				ms = append(ms, domain.Metric{Round: round, Phase: domain.PhaseTrain, NodeID: uint64(i/domain.MaxMetricNames) + 1, Name: fmt.Sprint("m", i%domain.MaxMetricNames), Value: float64(i)})
			}
			s.Observe(keeper, domain.Observation{Metrics: ms, Dropped: 998_000,
				Exchanges: []domain.Exchange{{MessageID: fmt.Sprint(round), Round: round, Phase: domain.PhaseTrain, NodeID: 1, AskedAt: time.Now(),
					RepliedAt: time.Now()}}})
		}
	}()
	const nothing = "/healthz"
	p99 := func(path string) time.Duration { // beyond what a page that does nothing takes on this machine now
		took := map[string][]time.Duration{}
		for range 150 {
			for _, p := range []string{path, nothing} {
				began := time.Now()
				if a := s.Get("manager", p); a.Status != http.StatusOK {
					t.Fatal(a.Status, a.Body)
				}
				took[p] = append(took[p], time.Since(began))
			}
		}
		for p := range took {
			slices.Sort(took[p])
			t.Logf("%s: median %s, p99 %s", p, took[p][75], took[p][148])
		}
		return took[path][148] - 3*took[nothing][148]
	}
	for _, path := range []string{"/f/fed/runs/r-1", "/f/fed/runs/r-1/charts.json"} {
		best := p99(path)
		for try := 0; try < 2 && best > 100*time.Millisecond; try++ { // others may use this machine
			best = min(best, p99(path))
		}
		if best > 100*time.Millisecond {
			t.Errorf("p99 of %s is %s", path, best)
		}
	}
	close(stop)
	t.Logf("%d metrics were stored meanwhile", <-ended*domain.MaxReplyMetrics)
}
