package web_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

var rowPattern = regexp.MustCompile(`id="run-(\d+)-`)

// The table's address is its filter, order, grouping and columns; fifty rows a page, by cursor; the file has all that match.
func TestRunsTableFollowsItsAddress(t *testing.T) {
	s := newSite(t)
	s.FillRuns(120, 3, 2)
	rows := func(body string) int { return len(rowPattern.FindAllString(body, -1)) }
	first := s.Get("viewer", "/f/fed/runs").Body
	if rows(first) != 50 || !strings.Contains(first, "121 runs, newest first") || !strings.Contains(first, "last · evaluate") {
		t.Errorf("the first page has %d rows", rows(first))
	}
	seen := map[string]bool{}
	next := regexp.MustCompile(`href="([^"]*after=[^"]*)"[^>]*>Next`)
	path := "/f/fed/runs?sort=evaluate.accuracy.max&tag=sweep&state=completed&cols=1&col=config.lr&col=evaluate.accuracy.max&pick=digits-1"
	for path != "" {
		body := s.Get("viewer", path).Body
		for _, m := range rowPattern.FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				t.Errorf("run %s comes twice", m[1])
			}
			seen[m[1]] = true
		}
		if !strings.Contains(body, "best (highest) · evaluate") {
			t.Error("the page does not say what best means")
		}
		m := next.FindStringSubmatch(body)
		if path = ""; m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
			if q, _ := url.Parse(path); q.Query().Get("pick") != "digits-1" {
				t.Error("picks are lost on the next page")
			}
		}
	}
	if len(seen) != 48 {
		t.Errorf("%d runs on all pages", len(seen))
	}
	file := s.Get("viewer", "/f/fed/runs.csv?tag=sweep&state=completed&cols=1&col=config.lr&col=evaluate.accuracy.max")
	all, err := csv.NewReader(strings.NewReader(file.Body)).ReadAll()
	if err != nil || len(all) != 49 || all[0][13] != "evaluate.accuracy.max" || all[1][13] == "" {
		t.Errorf("%d lines, %v: %v", len(all), err, all[:1])
	}
	if g := s.Get("viewer", "/f/fed/runs?group=tag&q=digits").Body; !strings.Contains(g, "<b>baseline</b> 40 runs") {
		t.Error("no groups")
	}
	if e := s.Get("viewer", "/f/fed/runs?q=nothing-like-it").Body; !strings.Contains(e, "Nothing matches") ||
		!strings.Contains(e, "Clear the filters") {
		t.Error("a search without a match does not say so")
	}
}

// The page compares what differs, at the newest round that all have reached or at each one's best, by the baseline that one takes.
func TestCompareShowsDifferencesAtTheSameRound(t *testing.T) {
	s := newSite(t)
	s.FillRuns(3, 3, 4)
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertMetrics(t.Context(), []domain.Metric{
			{FederationID: s.Fed.ID, EngineRunID: 1000, Round: 1, Phase: domain.PhaseServer, Name: "f1", Value: 0.5},
			{FederationID: s.Fed.ID, EngineRunID: 1000, Round: 2, Phase: domain.PhaseServer, Name: "f1", Value: 0.25},
			{FederationID: s.Fed.ID, EngineRunID: 1001, Round: 1, Phase: domain.PhaseServer, Name: "f1", Value: 0.75},
			{FederationID: s.Fed.ID, EngineRunID: 1001, Round: 5, Phase: domain.PhaseServer, Name: "f1", Value: math.NaN()},
			{FederationID: s.Fed.ID, EngineRunID: 42, Round: 1, Phase: domain.PhaseTrain, NodeID: 7, Name: "own", Value: 1},
			{FederationID: s.Fed.ID, EngineRunID: 42, Round: 1, Phase: domain.PhaseTrain, NodeID: 8, Name: "own", Value: 2},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	row := func(path, name string) string {
		t.Helper()
		a := s.Get("viewer", path)
		if a.Status != 200 {
			t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
		_, rest, _ := strings.Cut(a.Body, "<td>"+name)
		line, _, _ := strings.Cut(rest, "</tr>")
		return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(line, " ")), " ")
	}
	for path, want := range map[string]string{
		"/f/fed/compare?runs=digits-1,digits-2&round=1":                "on the server best is the highest · turn f1, on the server 0.5000 0.7500 +0.2500",
		"/f/fed/compare?runs=digits-1,digits-2&round=1&base=digits-2":  "on the server best is the highest · turn f1, on the server 0.5000 −0.2500 0.7500",
		"/f/fed/compare?runs=digits-1,digits-2":                        "on the server best is the highest · turn f1, on the server – –", // round 4
		"/f/fed/compare?runs=digits-1,digits-2&at=last":                "on the server best is the highest · turn f1, on the server 0.2500 round 2 NaN NaN · round 5",
		"/f/fed/compare?runs=digits-1,digits-2&at=best":                "on the server best is the highest · turn f1, on the server 0.5000 round 1 0.7500 +0.2500 · round 1",
		"/f/fed/compare?runs=digits-1,digits-2&at=best&turn=server.f1": "on the server best is the lowest · turn f1, on the server 0.2500 round 2 0.7500 +0.5000 · round 1",
	} {
		if got := row(path, "f1"); got != want {
			t.Errorf("%s\n got %s\nwant %s", path, got, want)
		}
	}
	mean := ""
	for by := time.Now().Add(10 * time.Second); !strings.Contains(mean, "1.500 round 1") && time.Now().Before(by); { // summed up in the background
		mean = row("/f/fed/compare?runs=digits-1,r-1&at=last", "own")
	}
	if !strings.Contains(mean, "mean of participants") || !strings.Contains(mean, "1.500 round 1") {
		t.Error(mean)
	}
	body := s.Get("viewer", "/f/fed/compare?runs=digits-1,digits-2").Body
	if strings.Contains(body, "<code class=\"b-wrap\">key-03</code>") || !strings.Contains(body, "of 14 keys differ") {
		t.Error("what does not differ is shown")
	}
	if !strings.Contains(s.Get("viewer", "/f/fed/compare?runs=digits-1,digits-2&all=1").Body, "<code class=\"b-wrap\">key-03</code>") {
		t.Error("all is not all")
	}
	if a := s.Get("viewer", "/f/fed/compare?runs=digits-1&add=digits-3"); a.Header.Get("Location") != "/f/fed/compare?runs=digits-1,digits-3" {
		t.Error(a.Header)
	}
	if a := s.Get("viewer", "/f/fed/compare?runs=a,b,c,d,e,f,g,h,i"); a.Status != 422 {
		t.Error(a.Status)
	}
	if a := s.Get("viewer", "/f/fed/compare?runs=digits-1,nothing"); a.Status != 404 {
		t.Error(a.Status)
	}
	var curves struct {
		Series []struct {
			Name string
			Runs map[string][]struct {
				Round   int
				Seconds float64
				Value   *float64
				Text    string
			}
		}
	}
	if err := json.Unmarshal([]byte(s.Get("viewer", "/f/fed/compare.json?runs=digits-1,digits-2").Body), &curves); err != nil {
		t.Fatal(err)
	}
	f1, acc := curves.Series[0], curves.Series[1]
	if f1.Name != "f1" || f1.Runs["digits-2"][1].Text != "NaN" || *f1.Runs["digits-1"][1].Value != 0.25 || len(acc.Runs["digits-1"]) != 4 || acc.Runs["digits-1"][1].Seconds < 9 {
		t.Errorf("%+v", curves.Series)
	}
}
