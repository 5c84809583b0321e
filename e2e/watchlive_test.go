package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/testbrowser"
)

// Three people look at a run that somebody launches meanwhile: in the table of runs, beside an older one, and with a link to it. What
// they see changes in place until the run has ended; no page is loaded anew.
func TestWatchersSeeARunGoOn(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	s.approved("One").join()
	s.approved("Two").join()
	cookie, app := s.signIn(), s.app("steady")
	old := s.becomes(s.launch(app, map[string]string{"num-server-rounds": "4", "pause": "0"}).Name, "completed", 3*time.Minute)
	d := testbrowser.New(t)
	for _, who := range []string{"table", "beside"} {
		d.Do(who, "cookie", s.url, cookie)
	}
	d.Do("table", "open", s.url+"/f/fed/runs", "")
	d.Do("table", "wait", ".b-live.is-ok", "")

	r := s.launch(app, map[string]string{"num-server-rounds": "6", "pause": "1"})
	d.Do("table", "wait", "#runnew a:has-text('Show 1 new')", "")
	if rows := d.Do("table", "read", "#runrows tbody", ""); strings.Contains(rows, r.Name) {
		t.Errorf("the new run moved the others: %s", rows)
	}
	s.becomes(r.Name, "running", time.Minute)
	d.Do("table", "click", "#runnew a", "")
	row := "#runrows tr:has([data-pick-run][value='" + r.Name + "'])"
	d.Do("table", "wait", row+":has-text('running')", "")
	d.Do("table", "wait", ".b-live.is-ok", "")
	d.Do("table", "click", row+" [data-pick-run]", "")
	loss := row + " td[data-l='eval_loss']"
	d.Do("table", "wait", loss+":has-text('.')", "")
	before := strings.TrimSpace(d.Do("table", "read", loss+" span", ""))

	d.Do("beside", "open", s.url+"/f/fed/compare?runs="+old.Name+","+r.Name, "")
	d.Do("beside", "wait", "[data-compare-charts] canvas", "")
	var link struct{ URL string }
	s.admin.must("POST", "/runs/"+r.Name+"/shares", map[string]any{"days": 1}, &link)
	d.Do("guest", "open", link.URL, "")
	d.Do("guest", "wait", ".b-plot canvas", "")
	d.Do("guest", "wait", ".b-live.is-ok", "")
	charts := map[string]string{}
	for _, who := range []string{"beside", "guest"} {
		charts[who] = d.Do(who, "drawn", "[data-chart-grid] figure canvas", "")
	}
	for _, who := range []string{"table", "beside", "guest"} {
		d.Do(who, "mark", "", "")
	}
	s.shots(d, "live", "table", "beside", "guest")
	d.Do("table", "wait", row+" td[data-l=Rounds]:has-text('5/6')", "")
	d.Do("table", "wait", fmt.Sprintf("%s span:not(:text-is(%q))", loss, before), "")
	d.Do("guest", "wait", "#head .b-pill:has-text('round 6/6')", "")
	d.Do("guest", "wait", "#rounds[data-last='6']", "")

	s.becomes(r.Name, "completed", 2*time.Minute)
	d.Do("table", "wait", row+":has-text('completed')", "")
	d.Do("table", "wait", row+" [data-pick-run]:checked", "")
	d.Do("beside", "wait", "#compared:not(:has-text('running'))", "")
	d.Do("beside", "wait", "[data-compare-charts] figcaption small:has-text('"+r.Name+" on "+old.Name+", round 4')", "")
	d.Do("guest", "wait", "#head .b-pill:has-text('completed')", "")
	d.Do("guest", "wait", "figcaption small:has-text('on round 5')", "")
	for who, was := range charts {
		if d.Do(who, "drawn", "[data-chart-grid] figure canvas", "") == was {
			t.Errorf("the chart of %s is as it was", who)
		}
	}
	for _, who := range []string{"table", "beside", "guest"} {
		if d.Do(who, "marked", "", "") != "true" {
			t.Errorf("the page of %s was loaded anew", who)
		}
	}
	if text := d.Do("guest", "read", "main", ""); strings.Contains(text, "METRIC round=") || strings.Contains(text, "One") || strings.Contains(text, "@example.org") {
		t.Errorf("with the link one sees more than the run: %s", text)
	}
	s.shots(d, "ended", "table", "beside", "guest")
}

// shots keeps pictures of pages where somebody wants to look at them.
func (s *server) shots(d *testbrowser.Drive, name string, whose ...string) {
	out := os.Getenv("BLOSSOMTUNE_SCREENSHOTS")
	for _, who := range whose {
		for _, size := range []string{"1280 900 light", "1280 900 dark", "390 844 light"} {
			if out != "" {
				d.Do(who, "size", "", size)
				d.Do(who, "shot", filepath.Join(out, fmt.Sprintf("%s-%s-%s.png", who, name, strings.ReplaceAll(size, " ", "-"))), "")
			}
		}
		if out != "" {
			d.Do(who, "size", "", "1280 900 light")
		}
	}
}
