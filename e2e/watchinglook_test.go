package e2e

import (
	"strings"

	"blossomtune/internal/testbrowser"
)

// lookedAt goes through a run's rounds and charts in a browser: what is chosen is in the address and comes back with it.
func (s *server) lookedAt(cookie, run string) {
	s.t.Helper()
	d := testbrowser.New(s.t)
	d.Do("me", "cookie", s.url, cookie)
	d.Do("me", "open", s.url+"/f/fed/runs/"+run, "")
	d.Do("me", "wait", ".b-plot canvas", "")
	for _, part := range []string{"get", "train", "put", "agg", "eval"} {
		d.Do("me", "wait", ".b-lanes .ph-"+part, "")
	}
	d.Do("me", "press", "", "[")
	d.Do("me", "wait", "#rounds[data-round='2']", "")
	d.Do("me", "drag", ".b-plot .u-over", "0.1 0.6")
	d.Do("me", "wait", "[data-chart-whole]:not(.b-gone)", "")
	address := d.Do("me", "url", "", "")
	if !strings.Contains(address, "x=1-2") || !strings.Contains(address, "round=2") {
		s.t.Errorf("the address is %s, without the rounds looked at", address)
	}
	d.Do("me", "open", address, "")
	d.Do("me", "wait", "#rounds[data-round='2']", "")
	d.Do("me", "wait", "[data-chart-whole]:not(.b-gone)", "")
	d.Do("me", "click", "[data-chart-flag=table]", "")
	d.Do("me", "wait", ".b-plot.is-table tbody tr:nth-child(2)", "")
	if head := d.Do("me", "read", ".b-plot.is-table thead", ""); head != "roundaggregatelowestmedianhighestparticipantsNaN or infinite" {
		s.t.Errorf("the table's columns are %q", head)
	}
	d.Do("me", "click", "[data-chart-flag=table]", "")
	s.linesAre(d)
	d.Do("me", "focus", "[data-map]", "")
	d.Do("me", "press", "", "ArrowLeft")
	d.Do("me", "wait", ".b-mapsay:has-text('round 1: trained and evaluated')", "")
	d.Do("me", "press", "", "Enter")
	d.Do("me", "wait", "#rounds[data-round='1']", "")
}

// linesAre looks at what changes the lines of charts: smoothing says so, a participant keeps its line whoever else is shown, and a
// chart leaves as a picture.
func (s *server) linesAre(d *testbrowser.Drive) {
	s.t.Helper()
	d.Do("me", "hover", "[data-chart-grid] figure:nth-child(1) .u-over", "")
	for _, chart := range []string{"1", "2"} { // the cursor is on both
		d.Do("me", "wait", "[data-chart-grid] figure:nth-child("+chart+") .u-cursor-x[style*='translate']:not([style*='-10px'])", "")
	}
	d.Do("me", "click", "[data-chart-flag=smooth]", "")
	d.Do("me", "wait", "[data-chart-note]:has-text('smoothed')", "")
	d.Do("me", "click", "[data-chart-picker] summary", "")
	d.Do("me", "click", "[data-chart-people] label:has-text('partition 1') input", "")
	line := func(attribute string) string {
		return d.Do("me", "read", "[data-chart-legend] span:has-text('partition 1') path", attribute)
	}
	stroke, dash := line("stroke"), line("stroke-dasharray")
	d.Do("me", "click", "[data-chart-people] label:has-text('partition 0') input", "")
	d.Do("me", "wait", "[data-chart-legend] span:has-text('partition 0')", "")
	if other := d.Do("me", "read", "[data-chart-legend] span:has-text('partition 0') path", "stroke"); other == stroke || line("stroke") != stroke || line("stroke-dasharray") != dash {
		s.t.Errorf("partition 1 is %s %s, partition 0 %s; then partition 1 is %s %s", stroke, dash, other, line("stroke"), line("stroke-dasharray"))
	}
	d.Do("me", "press", "", "Escape")
	if svg := d.Do("me", "download", "[data-save=svg]", ""); !strings.HasPrefix(svg, "<svg ") && !strings.HasPrefix(svg, "<?xml") || !strings.Contains(svg, "smoothed") {
		s.t.Errorf("the chart leaves as %.200q", svg)
	}
	if png := d.Do("me", "download", "[data-save=png]", ""); !strings.Contains(png[:min(len(png), 8)], "PNG") {
		s.t.Errorf("the chart leaves as %.20q", png)
	}
}

// compared picks two runs of the table and compares them; the picks are there when one comes back.
func (s *server) compared(cookie string, runs ...string) {
	s.t.Helper()
	d := testbrowser.New(s.t)
	d.Do("me", "cookie", s.url, cookie)
	d.Do("me", "open", s.url+"/f/fed/runs", "")
	for _, r := range runs {
		d.Do("me", "click", "[data-pick-run][value='"+r+"']", "")
	}
	d.Do("me", "click", "[data-compare] .btn-primary", "")
	for _, r := range runs {
		d.Do("me", "wait", "#compared:has-text('"+r+"')", "")
	}
	d.Do("me", "wait", "[data-compare-charts] canvas", "")
	d.Do("me", "back", "", "")
	for _, r := range runs {
		d.Do("me", "wait", "[data-pick-run][value='"+r+"']:checked", "")
	}
}
