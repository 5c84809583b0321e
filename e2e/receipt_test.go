package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"blossomtune/internal/receipt"
	"blossomtune/internal/testflwr"
)

// receiptHolds checks the receipt of a run that has just ended: it comes by itself, names what each participant sent in each round,
// and `blossomtune verify` takes the app's bytes and the log for the run's, and nothing else. app is its folder in e2e/apps.
func (s *server) receiptHolds(r runView, app string, asked ...*person) {
	s.t.Helper()
	fab, err := s.env.BuildFAB(s.t.Context(), filepath.Join(testflwr.Root(s.t), "e2e", "apps", app))
	if err != nil {
		s.t.Fatal(err)
	}
	var text json.RawMessage
	await(s.t, 30*time.Second, "the receipt of "+r.Name, func() (string, bool) {
		err := s.admin.try("GET", "/runs/"+r.Name+"/receipt", nil, &text)
		if err != nil {
			return err.Error(), false
		}
		return "", true
	})
	st, id, err := receipt.Open(text, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	p := st.Predicate
	objects := 0
	for _, round := range p.Rounds {
		for _, reply := range round.Replies {
			if reply.State != "replied" || len(reply.Object) != 64 {
				s.t.Errorf("round %d: %+v", round.Round, reply)
			}
			objects++
		}
	}
	if len(p.Rounds) != r.Rounds || len(p.Participants) != len(asked) || objects != p.Replies.Count || objects < r.Rounds*len(asked) || len(p.Metrics) == 0 {
		s.t.Errorf("%d rounds, %d participants, %d replies, %d metrics", len(p.Rounds), len(p.Participants), objects, len(p.Metrics))
	}
	s.participantsKept(r, asked)
	dir := s.t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			s.t.Fatal(err)
		}
		return path
	}
	file := write("receipt.json", text)
	for path, want := range map[string]int{write("app.fab", fab): 0, s.logFile(r): 0, write("other.fab", append(bytes.Clone(fab), 0)): 5} {
		cmd := exec.Command(bin(s.t), "verify", path, "--receipt", file, "--key", id)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			s.t.Errorf("verify %s: exit code %d, want %d: %v: %s", filepath.Base(path), code, want, err, out)
		}
	}
}

// participantsKept checks that a completed run kept who took part in it: all who were asked contributed, and were there from the start.
func (s *server) participantsKept(r runView, asked []*person) {
	s.t.Helper()
	var ended struct {
		Outcome            string
		Asked, Contributed int
	}
	s.admin.must("GET", "/runs/"+r.Name, nil, &ended)
	if ended.Outcome != "contributed" || ended.Asked != len(asked) || ended.Contributed != len(asked) {
		s.t.Errorf("the run says %+v, want %d who contributed", ended, len(asked))
	}
	var kept struct {
		Complete     bool
		Participants []struct {
			Online      bool       `json:"online_at_start"`
			Asked       *time.Time `json:"asked_at"`
			Taken       *time.Time `json:"taken_at"`
			Contributed *time.Time `json:"contributed_at"`
		}
	}
	s.admin.must("GET", "/runs/"+r.Name+"/participants", nil, &kept)
	contributed := 0
	for _, p := range kept.Participants {
		if p.Online && p.Asked != nil && p.Contributed != nil {
			contributed++
		}
	}
	if !kept.Complete || contributed != len(asked) {
		s.t.Errorf("%d of %d were online at the start and contributed: %+v", contributed, len(asked), kept)
	}
}
