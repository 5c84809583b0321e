package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// series is a metric over rounds as the charts get it.
type series struct {
	Phase, Name        string
	Rounds, Nodes, Odd []int
	Low, Median, High  []any
	Weighted, Whole    []any
	List               bool
	Round              int
}

type feed struct {
	Upto    int64
	Size    int
	Metrics int
	Dropped int64
	Series  []series
}

// page gets a page or a file as a signed-in browser does.
func (s *server) page(cookie, path string) (status int, text string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: cookie})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (s *server) charts(cookie, run string) (f feed) {
	s.t.Helper()
	_, text := s.page(cookie, "/f/fed/runs/"+run+"/charts.json?more=20")
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		s.t.Fatalf("%v: %.300s", err, text)
	}
	return f
}

func (f feed) of(phase, name string) series {
	for _, one := range f.Series {
		if one.Phase == phase && one.Name == name {
			return one
		}
	}
	return series{}
}

// idle answers at once: how long it takes is how busy the machine is.
const idle = "/healthz"

// slowest measures a page, and one that does nothing, in turn until stop. It returns how many times, and the times that 99 of 100 stayed
// under.
func (s *server) slowest(cookie, path string, stop <-chan struct{}) (n int, p99, nothing time.Duration) {
	took := map[string][]time.Duration{}
	for {
		select {
		case <-stop:
			return len(took[path]), percentile(took[path], 99), percentile(took[idle], 99)
		case <-time.After(20 * time.Millisecond):
		}
		for _, p := range []string{path, idle} {
			began := time.Now()
			if status, text := s.page(cookie, p); status != http.StatusOK {
				s.t.Errorf("%s: %d %.200s", p, status, text)
			}
			took[p] = append(took[p], time.Since(began))
		}
	}
}

// bearable is how long a page may take at the 99th percentile where one that does nothing takes so long.
func bearable(nothing time.Duration) time.Duration { return 100*time.Millisecond + 3*nothing }

// An app whose replies have a million metrics, NaN and infinities: the run ends well, what is kept is bounded, what is not is counted,
// and pages stay fast meanwhile.
func TestAMillionMetrics(t *testing.T) {
	s := start(t, 10)
	s.approved("One").join()
	s.approved("Two").join()
	cookie := s.signIn()
	r := s.launch(s.app("floods"), nil)
	s.becomes(r.Name, "running", time.Minute)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		n, p99, nothing := s.slowest(cookie, "/f/fed/runs/"+r.Name, stop)
		t.Logf("the run's page: %d times, p99 %s; one that does nothing: %s", n, p99, nothing)
		if n < 50 || p99 > bearable(nothing) {
			t.Errorf("the run's page takes %s (p99 of %d) while a million metrics come", p99, n)
		}
	}()
	r = s.becomes(r.Name, "completed", 5*time.Minute)
	close(stop)
	<-done
	s.sameTimes(r.Name)
	f := s.charts(cookie, r.Name)
	if least := int64(2 * (1_000_005 - 200)); f.Dropped < least {
		t.Errorf("%d metrics are said to be dropped, want at least %d", f.Dropped, least)
	}
	if f.Metrics > 2*2*200 {
		t.Errorf("%d metrics are kept", f.Metrics)
	}
	t.Logf("%d metrics are charted, %d were dropped", f.Metrics, f.Dropped)
	lost, high := f.of("train", "lost"), f.of("train", "high")
	if fmt.Sprint(lost.Rounds, lost.Nodes, lost.Odd, lost.Median) != "[1] [2] [2] [<nil>]" || fmt.Sprint(high.Odd) != "[2]" {
		t.Errorf("NaN is charted as %+v, an infinity as %+v", lost, high)
	}
	s.exports(cookie, r.Name)
}

// exports reads a run's metrics as CSV and JSON: both have every number of the API, and nothing that a spreadsheet takes for a formula.
func (s *server) exports(cookie, run string) {
	s.t.Helper()
	status, text := s.page(cookie, "/f/fed/runs/"+run+"/metrics.csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || status != http.StatusOK {
		s.t.Fatal(status, err)
	}
	_, text = s.page(cookie, "/f/fed/runs/"+run+"/metrics.json")
	var list []struct {
		Round             int
		Phase, Node, Name string
		Value             any
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		s.t.Fatal(err)
	}
	stored := s.metrics(run)
	if len(rows)-1 != len(stored) || len(list) != len(stored) || len(stored) == 0 {
		s.t.Fatalf("%d metrics, %d rows of CSV, %d of JSON", len(stored), len(rows)-1, len(list))
	}
	texts := map[string]bool{}
	for i, m := range stored {
		row, one := rows[i+1], list[i]
		v, err := strconv.ParseFloat(row[5], 64)
		if err != nil || m.Value != nil && v != *m.Value || m.Value == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.t.Fatalf("%+v is %v in the CSV: %v", m, row, err)
		}
		if m.Value == nil {
			texts[row[5]] = true
			if one.Value != row[5] {
				s.t.Fatalf("%+v is %+v in the JSON", m, one)
			}
		}
		for _, cell := range []string{row[1], row[2], row[4]} {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				s.t.Fatalf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	if run != "" && len(texts) > 0 && (!texts["NaN"] || !texts["Infinity"] || !texts["-Infinity"]) {
		s.t.Errorf("NaN and infinities are spelled %v", texts)
	}
	if _, same := s.page(cookie, "/api/v1/runs/"+run+"/metrics.csv"); len(strings.Split(same, "\n")) != len(rows)+1 {
		s.t.Errorf("the API's CSV has another length: %d lines", len(strings.Split(same, "\n")))
	}
}

// exchanged is what was asked of a SuperNode, with when each part was seen.
type exchanged struct {
	Phase                                      string
	Node                                       string `json:"node_id"`
	Asked, Taken, Get, Got, Put, Sent, Replied time.Time
}

// sameTimes checks that the gateway saw each part of every exchange of a run whose SuperNodes all replied, in order.
func (s *server) sameTimes(run string) {
	s.t.Helper()
	r := s.get(run)
	for n := 1; n <= r.Rounds; n++ {
		var all []exchanged
		await(s.t, 10*time.Second, "the gateway has stored what it saw", func() (string, bool) {
			s.admin.must("GET", fmt.Sprintf("/runs/%s/rounds/%d", run, n), nil, &all)
			return fmt.Sprint(all), len(all) == 4 && !slices.ContainsFunc(all, func(e exchanged) bool { return e.Sent.IsZero() })
		})
		for _, e := range all {
			for i, at := range []time.Time{e.Get, e.Got, e.Put, e.Sent} {
				if before := []time.Time{e.Asked, e.Get, e.Got, e.Put}[i]; at.Before(before) {
					s.t.Errorf("round %d, %s of node %s: step %d was at %s, the one before at %s", n, e.Phase, e.Node, i, at, before)
				}
			}
			if e.Replied.IsZero() || e.Taken.IsZero() {
				s.t.Errorf("round %d: %+v", n, e)
			}
		}
	}
	var traffic []struct {
		Node     string `json:"node_id"`
		Up, Down int64
	}
	s.admin.must("GET", "/runs/"+run+"/traffic", nil, &traffic)
	if len(traffic) != 2 || traffic[0].Up == 0 || traffic[1].Down == 0 {
		s.t.Errorf("bytes of the run: %+v", traffic)
	}
}

var aggregated = regexp.MustCompile(`Aggregated MetricRecord: \{(.*)\}`)

// Apps of both APIs show what each participant measured, and what the app makes of it: the numbers that its own log has. Where the app
// makes nothing of them, the mean is ours and says so.
func TestBothAPIsShowTheirMetrics(t *testing.T) {
	t.Parallel()
	onBothEngines(t, 10, bothAPIsShowTheirMetrics)
}

func bothAPIsShowTheirMetrics(t *testing.T, s *server) {
	people := []*person{s.approved("One").join(), s.approved("Two").join()}
	cookie := s.signIn()
	r := s.becomes(s.launch(s.app("steady"), map[string]string{"num-server-rounds": "3", "pause": "0.2"}).Name, "completed", 3*time.Minute)
	s.sameAsPrinted(r)
	s.sameTimes(r.Name)
	s.exports(cookie, r.Name)
	f := s.charts(cookie, r.Name)
	text, err := os.ReadFile(s.logFile(r))
	if err != nil {
		t.Fatal(err)
	}
	told := aggregated.FindAllStringSubmatch(string(text), -1)
	if len(told) != 6 {
		t.Fatalf("the log tells of %d aggregates", len(told))
	}
	for i, line := range told { // train, evaluate, train …
		phase := []string{"train", "evaluate"}[i%2]
		name := []string{"train_loss", "eval_loss"}[i%2]
		one := f.of(phase, name)
		if len(one.Whole) != 3 || one.Whole[i/2] == nil || !strings.Contains(line[1], strconv.FormatFloat(one.Whole[i/2].(float64), 'g', -1, 64)) {
			t.Errorf("round %d: the aggregate of %s is charted as %v, the log has %s", i/2+1, name, one.Whole, line[1])
		}
		if one.Nodes[i/2] != 2 || one.Low[i/2].(float64) >= one.High[i/2].(float64) || one.Weighted[i/2] == nil || math.Abs(one.Weighted[i/2].(float64)-one.Whole[i/2].(float64)) > 1e-9 {
			t.Errorf("round %d of %s: %+v", i/2+1, name, one)
		}
	}
	if t.Failed() {
		t.Logf("the app's log:\n%s", text)
		for _, p := range people {
			logs, _ := filepath.Glob(filepath.Join(p.home, "agent", "runs", "*.log"))
			for _, l := range append(logs, filepath.Join(p.home, "agent", "supernode.log")) {
				t.Logf("%s:\n%s", l, tail(l))
			}
		}
	}
	s.lookedAt(cookie, r.Name)
	old := s.becomes(s.launch(s.app("old_api"), nil).Name, "completed", 3*time.Minute)
	s.sameTimes(old.Name)
	s.compared(cookie, r.Name, old.Name)
	f = s.charts(cookie, old.Name)
	score, accuracy, loss := f.of("train", "fit_score"), f.of("evaluate", "accuracy"), f.of("evaluate", "loss")
	sum, weight := 0.0, 0.0
	for _, p := range people {
		sum, weight = sum+float64(10+p.partition)*0.25*float64(p.partition+1), weight+float64(10+p.partition)
	}
	for round := range 2 {
		if score.Whole[round] != nil || math.Abs(score.Weighted[round].(float64)-sum/weight) > 1e-9 || score.Nodes[round] != 2 {
			t.Errorf("fit_score, which the app does not aggregate: %+v, want a mean of ours of %v", score, sum/weight)
		}
		if accuracy.Whole[round] != nil || accuracy.Weighted[round] == nil {
			t.Errorf("accuracy, which the app does not aggregate: %+v", accuracy)
		}
		if loss.Whole[round] == nil || math.Abs(loss.Whole[round].(float64)-loss.Weighted[round].(float64)) > 1e-6 {
			t.Errorf("the loss, which Flower averages and logs: %+v", loss)
		}
	}
}
