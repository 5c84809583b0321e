package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store/linkstore"
	"blossomtune/internal/store/storetest"
)

// A federation changes its SuperLink in its settings, from Flower's to the builtin one and back twice. Its SuperNodes, an agent and a stock
// one, stay and keep their node ids, whichever SuperLink gave them; the same app ends with the same values. It changes only between runs. A
// run whose keeper is killed ends with the cause, and the next one trains.
func TestAFederationChangesItsEngine(t *testing.T) {
	t.Parallel()
	s := startWith(t, 10, freeAddr(t), flowerEngine)
	joined := s.approved("Joined").join()
	s.engine("builtin")
	if _, err := os.Stat(filepath.Join(s.data, "federations", "1", "link.db")); err != nil {
		t.Fatalf("the builtin SuperLink has no store: %v", err)
	}
	plain := s.approved("Plain").plain()
	before := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "2", "pause": "0"})
	before = s.becomes(before.Name, "completed", 3*time.Minute)
	ids := [2]string{s.node(joined.partition).NodeID, s.node(plain.partition).NodeID}

	for _, engine := range []string{"flower", "builtin"} {
		s.engine(engine)
		joined.online()
		plain.online()
		after := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "2", "pause": "0"})
		after = s.becomes(after.Name, "completed", 3*time.Minute)
		if now := [2]string{s.node(joined.partition).NodeID, s.node(plain.partition).NodeID}; now != ids {
			t.Errorf("%s: the node ids were %v and are %v", engine, ids, now)
		}
		s.sameAsPrinted(after)
		s.sameLog(after)
		s.sameValues(before, after)
		s.receiptHolds(after, "steady", joined, plain)
		if plain.node.ProcessState != nil || joined.node.ProcessState != nil {
			t.Fatalf("%s: a SuperNode ended", engine)
		}
	}

	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "6", "pause": "0.2"})
	s.atRound(r.Name, 2)
	refused(t, s.admin.try("PATCH", "/federations/fed/run-policy", map[string]string{"engine": "flower"}, nil), domain.Conflict, "engine")
	s.killKeeper(t)
	if r = s.ends(r.Name, 20*time.Second); r.State != "failed" || r.Cause.Message != "The keeper was killed, and the ServerApp with it." {
		t.Errorf("the run whose keeper was killed is %s: %+v", r.State, r.Cause)
	}
	r = s.launch(s.app("old_api"), nil)
	s.becomes(r.Name, "completed", 3*time.Minute)
}

// engine has the federation use an engine and waits until it is up.
func (s *server) engine(name string) {
	s.t.Helper()
	s.admin.must("PATCH", "/federations/fed/run-policy", map[string]string{"engine": name}, nil)
	await(s.t, time.Minute, "the SuperLink is "+name, func() (string, bool) {
		var f struct {
			SuperLink struct{ State, Engine string }
		}
		s.admin.must("GET", "/federations/fed", nil, &f)
		return f.SuperLink.State + " " + f.SuperLink.Engine, f.SuperLink.State == "up" && f.SuperLink.Engine == name
	})
}

// sameValues checks that two runs measured the same on the same SuperNodes.
func (s *server) sameValues(a, b runView) {
	s.t.Helper()
	type place struct {
		node, phase, name string
		round             int
	}
	values := func(r runView) map[place]float64 {
		out := map[place]float64{}
		for _, m := range s.metrics(r.Name) {
			if m.Value != nil {
				out[place{m.Node, m.Phase, m.Name, m.Round}] = *m.Value
			}
		}
		return out
	}
	want, got := values(a), values(b)
	if len(want) == 0 || len(want) != len(got) {
		s.t.Errorf("%d and %d values", len(want), len(got))
	}
	for p, v := range want {
		if got[p] != v {
			s.t.Errorf("%+v: %v and %v", p, v, got[p])
		}
	}
}

// The builtin SuperLink keeps its state in PostgreSQL where the server's database is there.
func TestTheBuiltinSuperLinkOnPostgreSQL(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	s := startWith(t, 10, freeAddr(t), builtinEngine, "BLOSSOMTUNE_DATABASE="+address)
	s.approved("Joined").join()
	s.approved("Plain").plain()
	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "2", "pause": "0"})
	r = s.becomes(r.Name, "completed", 3*time.Minute)
	s.sameAsPrinted(r)
	if _, err := os.Stat(filepath.Join(s.data, "federations", "1", "link.db")); !os.IsNotExist(err) {
		t.Errorf("there is an SQLite file: %v", err)
	}
	store, err := linkstore.Open(t.Context(), address, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	kept, err := store.Load(t.Context())
	if err != nil || len(kept.Nodes) != 2 || len(kept.Runs) != 1 || kept.Runs[0].SubStatus != "completed" ||
		len(kept.Letters)+len(kept.Objects) != 0 {
		t.Errorf("%v: %d nodes, runs %+v, %d messages, %d objects", err, len(kept.Nodes), kept.Runs, len(kept.Letters), len(kept.Objects))
	}
}
