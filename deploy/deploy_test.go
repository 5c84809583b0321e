// Package deploy checks what operators are given: the dashboard and the alert rules.
package deploy

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"

	"blossomtune/internal/servertest"
)

var metricName = regexp.MustCompile(`\b(?:blossomtune|process|go)_[a-z0-9_]+`)

// Every metric in the dashboard and the alert rules is in /metrics of a server, so a renamed metric breaks no one's alarm unnoticed.
func TestTheDashboardAndTheRulesNameMetricsThatExist(t *testing.T) {
	s := servertest.New(t)
	s.Get("admin", "/api/v1/federations") // the first request makes the metrics of requests
	res, err := http.Post("http://"+s.Server.Addr().String()+"/v1/fleet/pull-messages", "application/protobuf", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	res, err = http.Get("http://" + s.Server.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	exist := metricName.FindAllString(string(text), -1)
	named := 0
	for _, file := range []string{"grafana/dashboard.json", "grafana/alerts.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file == "grafana/dashboard.json" && !json.Valid(text) {
			t.Errorf("%s is not JSON", file)
		}
		for _, name := range metricName.FindAllString(string(text), -1) {
			named++
			if !slices.Contains(exist, name) {
				t.Errorf("%s names %s, which /metrics does not have", file, name)
			}
		}
	}
	if named < 30 {
		t.Errorf("only %d metrics are named", named)
	}
}
