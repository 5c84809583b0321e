package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/testbrowser"
)

type listFeed struct {
	Metrics int
	Upto    int64
	Charts  []string
	Series  []struct {
		Name       string
		List       bool
		Round      int
		First      int
		Rounds     []int
		Low, Whole []float64
		Before     []float64
		People     []struct {
			Node   string
			Values []float64
		}
	}
}

func (s *site) lists(query string, until func(listFeed) bool) (f listFeed) {
	s.T.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; { // numbers are summed up in the background
		if err := json.Unmarshal([]byte(s.Get("participant", "/f/fed/runs/r-1/charts.json?"+query).Body), &f); err != nil {
			s.T.Fatal(err)
		}
		if until(f) || time.Now().After(deadline) {
			return f
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A list is one chart: its elements in the newest round of what is looked at, beside the first round.
func TestAListIsOneChart(t *testing.T) {
	s := newSite(t)
	s.Listed(3, 100)
	s.Observe(s.Server.DB, domain.Observation{Metrics: []domain.Metric{{Round: 3, Phase: domain.PhaseEvaluate, NodeID: 101, Name: "loss",
		Value: 1}, {Round: 3, Phase: domain.PhaseTrain, NodeID: 101, Name: "class[7]", Value: 1}}})
	f := s.lists("", func(f listFeed) bool { return f.Metrics == 3 && f.Series[1].Round == 3 })
	if f.Metrics != 3 || strings.Join(f.Charts, ",") != "evaluate loss,evaluate per_class [],train class[7]" {
		t.Fatalf("%d charts: %v", f.Metrics, f.Charts)
	}
	one := f.Series[1]
	if !one.List || one.Round != 3 || one.First != 1 || len(one.Rounds) != 100 || one.Rounds[42] != 42 || fmt.Sprintf("%.2f %.2f %.2f", one.Low[1], one.Whole[1], one.Before[1]) != "0.65 0.75 0.35" {
		t.Errorf("%+v", one)
	}
	if near := s.lists("from=1&to=2&rank=high", func(listFeed) bool { return true }).Series[0]; near.Round != 2 || near.First != 1 || len(near.People) != 3 || near.People[0].Node != "103" || len(near.People[0].Values) != 100 {
		t.Errorf("%+v", near)
	}
	if none := s.lists(fmt.Sprint("after=", f.Upto), func(listFeed) bool { return true }); len(none.Series) != 0 || len(none.Charts) != 3 {
		t.Errorf("nothing is new: %+v", none)
	}
	s.Observe(s.Server.DB, domain.Observation{Metrics: []domain.Metric{{Round: 4, Phase: domain.PhaseEvaluate, NodeID: 101,
		Name: "per_class[0]", Value: 9}}})
	late := s.lists(fmt.Sprint("after=", f.Upto), func(f listFeed) bool { return len(f.Series) > 0 })
	if len(late.Series) != 1 || late.Series[0].Round != 4 || len(late.Series[0].Rounds) != 1 {
		t.Errorf("what is new: %+v", late)
	}
	if body := s.Get("viewer", "/f/fed/runs?cols=1").Body; strings.Contains(body, "per_class") {
		t.Error("the table of runs offers elements of a list as columns")
	}
}

// The chart of a list is drawn on the run's page and where runs are compared, on a wide page and on a phone, in both themes.
func TestAListIsDrawn(t *testing.T) {
	s := newSite(t)
	s.Enrol(101)
	s.Listed(3, 10)
	d := testbrowser.New(t)
	for _, c := range []struct{ page, figure, says string }{
		{"/f/fed/runs/r-1", "[data-chart-grid] figure:has(figcaption:has-text('per_class by element · evaluate, round 3'))", "10 values"},
		{"/f/fed/compare?runs=r-1", "[data-compare-charts] figure:has(figcaption:has-text('per_class by element · evaluate'))", "r-1: round 3"},
	} {
		s.browse(d, "viewer", c.page)
		d.Do("viewer", "wait", c.figure+" canvas", "")
		if got := d.Do("viewer", "read", c.figure+" figcaption", ""); !strings.Contains(got, c.says) {
			t.Errorf("%s says %q", c.page, got)
		}
		for _, size := range []string{"390 844 dark", "390 844 light", "1280 900 dark", "1280 900 light"} {
			d.Do("viewer", "size", "", size)
			if over := d.Do("viewer", "overlaps", c.figure, ""); over != "" {
				t.Errorf("%s at %s: %s", c.page, size, over)
			}
			if dir := os.Getenv("BLOSSOMTUNE_SCREENSHOTS"); dir != "" {
				d.Do("viewer", "shot", filepath.Join(dir, strings.Map(func(r rune) rune {
					if r == '/' || r == '?' || r == ' ' || r == '=' {
						return '-'
					}
					return r
				}, "list"+c.page+" "+size)+".png"), "")
			}
		}
	}
	const figure = "[data-chart-grid] figure"
	s.browse(d, "viewer", "/f/fed/runs/r-1")
	d.Do("viewer", "wait", figure+" canvas", "")
	if svg := d.Do("viewer", "download", figure+" [data-save=svg]", ""); !strings.Contains(svg, ">round 1</text>") || !strings.Contains(svg, ">aggregate</text>") {
		t.Errorf("the picture: %s", svg)
	}
	d.Do("viewer", "click", "[data-chart-flag=table]", "")
	d.Do("viewer", "wait", figure+" table", "")
	if table := d.Do("viewer", "read", figure+" table", ""); !strings.HasPrefix(table, "elementaggregate") {
		t.Errorf("the table: %s", table)
	}
}

// A metric without an aggregate is seen from its first round on: by its median.
func TestAFirstMedianIsSeen(t *testing.T) {
	s := newSite(t)
	s.Enrol(101)
	s.Observe(s.Server.DB, domain.Observation{Metrics: []domain.Metric{{Round: 1, Phase: domain.PhaseTrain, NodeID: 101, Name: "steps",
		Value: 4}}})
	d := testbrowser.New(t)
	s.browse(d, "viewer", "/f/fed/runs/r-1")
	const plot = "[data-chart-grid] figure canvas"
	d.Do("viewer", "wait", plot, "")
	seen := d.Do("viewer", "drawn", plot, "")
	d.Do("viewer", "click", "[data-chart-hide=median]", "")
	d.Do("viewer", "wait", "[data-chart-hide=median][aria-pressed=false]", "")
	if d.Do("viewer", "drawn", plot, "") == seen {
		t.Error("the median of the first round is not drawn")
	}
}
