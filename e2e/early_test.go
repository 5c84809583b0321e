package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An app may end before its last round: that is for the app to say, and no failure.
func TestAnAppMayEndBeforeItsLastRound(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	p := s.approved("Plain").plain()
	r := s.becomes(s.launch(s.app("stops_early"), nil).Name, "completed", 3*time.Minute)
	if r.Round != 2 || r.Rounds != 5 || r.Cause != nil {
		t.Errorf("round %d of %d, %+v", r.Round, r.Rounds, r.Cause)
	}
	res, err := p.c.HTTP.Get(s.url + "/f/fed/runs/" + r.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(page), "ended after round 2 of 5") {
		t.Errorf("its page: %v %s\n%s", err, res.Status, page)
	}
}
