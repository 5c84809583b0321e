package web_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/testbrowser"
)

// browse opens a page of the site in somebody's browser.
func (s *site) browse(d *testbrowser.Drive, kind, path string) {
	s.T.Helper()
	base := "http://" + s.Server.Addr().String()
	if secret := s.Cookies[kind]; secret != "" {
		d.Do(kind, "cookie", base, secret)
	}
	d.Do(kind, "open", base+path, "")
}

// measure gives the site's run a metric that each of three SuperNodes and the whole federation have in twelve rounds: it rises by a
// tenth a round from below zero on, up to the last one's value.
func (s *site) measure(last float64) {
	s.T.Helper()
	s.Enrol(101)
	var all []domain.Metric
	for round := 1; round <= 12; round++ {
		v := float64(round-3) / 10 // -0.2, -0.1, 0, 0.1 …
		if round == 12 {
			v = last
		}
		for node := range uint64(3) {
			all = append(all, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, NodeID: 101 + node, Name: "score", Value: v + float64(node)/100})
		}
		all = append(all, domain.Metric{Round: round, Phase: domain.PhaseEvaluate, Name: "score", Value: v + 0.02})
	}
	s.Observe(s.Server.DB, domain.Observation{Metrics: all})
}

// What is hidden is off the chart and off its picture, says so on its button, and stays hidden when the address is opened again.
func TestLinesOfAChartAreHidden(t *testing.T) {
	s := newSite(t)
	s.measure(0.9)
	d := testbrowser.New(t)
	page := "/f/fed/runs/r-1"
	s.browse(d, "viewer", page)
	const plot = "[data-chart-grid] figure canvas"
	d.Do("viewer", "wait", plot, "")
	d.Do("viewer", "click", ".b-tabs a[href='#charts']", "") // a step within the page changes nothing of what follows
	for name, mark := range map[string]string{"aggregate": ">aggregate</text>", "band": `fill-opacity=".16"`, "median": ">median</text>"} {
		button := "[data-chart-hide=" + name + "]"
		picture := func() string { return d.Do("viewer", "download", "[data-save=svg]", "") }
		whole, drawn := picture(), d.Do("viewer", "drawn", plot, "")
		if !strings.Contains(whole, mark) {
			t.Fatalf("the chart has no %s: %s", name, whole)
		}
		d.Do("viewer", "click", button, "")
		d.Do("viewer", "wait", button+"[aria-pressed=false]", "")
		if strings.Contains(picture(), mark) || d.Do("viewer", "drawn", plot, "") == drawn {
			t.Errorf("hidden, but the chart still has its %s", name)
		}
		address := d.Do("viewer", "url", "", "")
		if !strings.Contains(address, "hide="+name) {
			t.Errorf("the address is %s", address)
		}
		d.Do("viewer", "open", strings.Replace(address, "#charts", "", 1), "")
		d.Do("viewer", "wait", plot, "")
		d.Do("viewer", "wait", button+"[aria-pressed=false]", "")
		if strings.Contains(picture(), mark) {
			t.Errorf("opened again, the chart has its %s", name)
		}
		d.Do("viewer", "click", button, "")
		if again := picture(); again != whole || d.Do("viewer", "drawn", plot, "") != drawn {
			t.Errorf("shown again, the chart is another one: %s", again)
		}
	}
}

// A logarithmic scale says what it cannot show, clipping how many points it leaves outside: alone, together, and with smoothing, which
// does not add to them. The note goes with the picture, and the view with the address.
func TestChartsSayWhatTheyLeaveOut(t *testing.T) {
	s := newSite(t)
	s.measure(90) // an outlier
	d := testbrowser.New(t)
	s.browse(d, "viewer", "/f/fed/runs/r-1")
	note := func() string { return d.Do("viewer", "read", "[data-chart-note]", "") }
	press := func(flags ...string) {
		for _, f := range flags {
			d.Do("viewer", "click", "[data-chart-flag="+f+"]", "")
		}
	}
	const plot = "[data-chart-grid] figure canvas"
	d.Do("viewer", "wait", plot, "")
	plain := d.Do("viewer", "drawn", plot, "")
	if n := note(); n != "" {
		t.Errorf("nothing is left out, but the chart says %q", n)
	}
	// Rounds 1 to 3: the lowest is -0.2, -0.1, 0; the median a hundredth above it, the highest and the aggregate two.
	notLog := "median: 2 not above 0, not on a log scale · aggregate: 2 not above 0, not on a log scale · min to max: 5 not above 0, not on a log scale"
	outside := "4 points outside" // of the last round: lowest, median, highest, aggregate
	smoothed := "smoothed (moving average 0.6); the raw values are faint"
	for _, c := range []struct {
		press []string
		want  string
	}{
		{[]string{"log"}, notLog},
		{[]string{"log", "clip"}, outside},
		{[]string{"smooth"}, outside + " · " + smoothed},
		{[]string{"log"}, notLog + " · " + outside + " · " + smoothed},
	} {
		before := d.Do("viewer", "drawn", plot, "")
		press(c.press...)
		d.Do("viewer", "wait", fmt.Sprintf("[data-chart-note]:text-is(%q)", c.want), "")
		if now := d.Do("viewer", "drawn", plot, ""); now == before || now == plain {
			t.Errorf("%v: the chart is drawn as before", c.press)
		}
		if svg := d.Do("viewer", "download", "[data-save=svg]", ""); !strings.Contains(svg, strings.Split(c.want, " · ")[0]) {
			t.Errorf("the picture does not say %q", c.want)
		}
	}
	d.Do("viewer", "open", d.Do("viewer", "url", "", ""), "")
	d.Do("viewer", "wait", "[data-chart-note]:has-text('outside')", "")
	if n := note(); n != notLog+" · "+outside+" · "+smoothed {
		t.Errorf("opened again, the chart says %q", n)
	}
	press("log", "smooth", "clip")
	d.Do("viewer", "wait", "[data-chart-note]:text-is('')", "")
	if d.Do("viewer", "drawn", plot, "") != plain {
		t.Error("with all of it off, the chart is another one")
	}
}

// Charts of compared runs say what they do not show of which run.
func TestComparedChartsSayWhatTheyLeaveOut(t *testing.T) {
	s := newSite(t)
	s.FillRuns(2, 1, 4)
	var all []domain.Metric
	for i, v := range []float64{-1, 0, 1, math.NaN()} {
		all = append(all, domain.Metric{FederationID: s.Fed.ID, EngineRunID: 1000, Round: i + 1, Phase: domain.PhaseServer, Name: "score",
			Value: v}, domain.Metric{FederationID: s.Fed.ID, EngineRunID: 1001, Round: i + 1, Phase: domain.PhaseServer, Name: "score",
			Value: float64(i + 1)})
	}
	if err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
		_,
			err := tx.InsertMetrics(t.Context(), all)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	d := testbrowser.New(t)
	s.browse(d, "viewer", "/f/fed/compare?runs=digits-1,digits-2")
	const note = "[data-compare-charts] figure:has(figcaption:has-text('score')) [data-chart-note]"
	d.Do("viewer", "wait", note+":text-is('digits-1: 1 NaN or infinite, not drawn')", "")
	d.Do("viewer", "click", "[data-scale]", "")
	d.Do("viewer", "wait", note+":text-is('digits-1: 2 not above 0, not on a log scale · digits-1: 1 NaN or infinite, not drawn')", "")
	d.Do("viewer", "click", "[data-run='digits-1']", "")
	d.Do("viewer", "wait", note+":text-is('')", "")
}
