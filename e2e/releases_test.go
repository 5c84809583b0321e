package e2e

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// Participants need not all have the same Flower: plain SuperNodes of three releases train together, and one that is too old is told,
// in its own log and on its page, what to install.
func TestPlainSuperNodesOfSeveralReleases(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	people := map[string]*person{}
	for _, version := range []string{"1.40.0", "1.41.0", s.env.FlwrVersion} {
		p := s.approved("Has-" + strings.ReplaceAll(version, ".", "-"))
		if version == s.env.FlwrVersion {
			p.plainOf(s.env)
		} else {
			p.plainOf(testflwr.Release(t, version))
		}
		people[version] = p
	}
	for _, p := range people {
		p.online()
	}
	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "2", "pause": "0", "min-nodes": "3"})
	r = s.becomes(r.Name, "completed", 4*time.Minute)
	s.sameAsPrinted(r)
	trained := map[string]int{}
	for _, m := range s.metrics(r.Name) {
		if m.Name == "train_loss" || m.Name == "eval_loss" {
			trained[m.Node]++
		}
	}
	for version, p := range people {
		n := s.node(p.partition)
		if trained[n.NodeID] != 4 || n.Flwr != version || n.State != "online" {
			t.Errorf("flwr %s: %d of 4 replies, %+v", version, trained[n.NodeID], n)
		}
	}
	t.Run("one that is too old", func(t *testing.T) { tooOld(t, s) })
}

func tooOld(t *testing.T, s *server) {
	p := s.approved("Old")
	p.plainOf(testflwr.Release(t, "1.39.0"))
	ended := make(chan error, 1)
	go func() { ended <- p.node.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended with 0")
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	want := "This SuperNode's flwr 1.39.0 is too old: this server needs flwr 1.40 or newer. Install it with: pip install 'flwr==1.42.*'"
	if out := tail(filepath.Join(p.home, "node.log")); !strings.Contains(out, want) {
		t.Errorf("its log does not say what to install:\n%s", out)
	}
	if n := s.node(p.partition); n.Flwr != "1.39.0" || n.State != "offline" {
		t.Errorf("%+v", n)
	}
	res, err := p.c.HTTP.Get(s.url + "/me/fed")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(page), "Your Flower is too old") {
		t.Errorf("its page: %v %s\n%s", err, res.Status, page)
	}
}
