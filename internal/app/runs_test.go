package app

import (
	"encoding/csv"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var rowPattern = regexp.MustCompile(`id="run-(\d+)-`)

// The table's address is its filter, order, grouping and columns; fifty rows a page, by cursor; the file has all that match.
func TestRunsTableFollowsItsAddress(t *testing.T) {
	s := newSite(t)
	s.fillRuns(120, 3, 2)
	rows := func(body string) int { return len(rowPattern.FindAllString(body, -1)) }
	first := s.get("participant", "/f/fed/runs").body
	if rows(first) != 50 || !strings.Contains(first, "121 runs, newest first") || !strings.Contains(first, "last · evaluate") {
		t.Errorf("the first page has %d rows", rows(first))
	}
	seen := map[string]bool{}
	next := regexp.MustCompile(`href="([^"]*after=[^"]*)"[^>]*>Next`)
	path := "/f/fed/runs?sort=evaluate.accuracy.max&tag=sweep&state=completed&cols=1&col=config.lr&col=evaluate.accuracy.max&pick=digits-1"
	for path != "" {
		body := s.get("viewer", path).body
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
	file := s.get("viewer", "/f/fed/runs.csv?tag=sweep&state=completed&cols=1&col=config.lr&col=evaluate.accuracy.max")
	all, err := csv.NewReader(strings.NewReader(file.body)).ReadAll()
	if err != nil || len(all) != 49 || all[0][12] != "evaluate.accuracy.max" || all[1][12] == "" {
		t.Errorf("%d lines, %v: %v", len(all), err, all[:1])
	}
	if g := s.get("viewer", "/f/fed/runs?group=tag&q=digits").body; !strings.Contains(g, "<b>baseline</b> 40 runs") {
		t.Error("no groups")
	}
	if e := s.get("viewer", "/f/fed/runs?q=nothing-like-it").body; !strings.Contains(e, "Nothing matches") || !strings.Contains(e, "Clear the filters") {
		t.Error("a search without a match does not say so")
	}
}
