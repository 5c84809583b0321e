package api_test

import (
	"blossomtune/internal/servertest"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/testflwr"
)

// apiCallers are those as whom schemathesis calls the API. "node" signs its calls with the key of a SuperNode.
var apiCallers = []string{"stranger", "participant", "manager", "admin", "node"}

// Whoever calls, with whatever fits the API's description or almost does: no answer is a fault of ours, and each is as described. What is
// printed of a failure is a curl command without the caller's session.
func TestTheAPIKeepsItsDescription(t *testing.T) {
	tools := testflwr.Tools(t)
	for _, database := range []string{"sqlite", "postgres"} {
		for _, who := range apiCallers {
			t.Run(database+"/"+who, func(t *testing.T) {
				t.Parallel()
				s := newSiteWith(t, func(c *config.Config) {
					c.BehindProxy = true
					if database == "postgres" {
						c.Database = storetest.PostgresURL(t)
					}
				})
				statuses := s.schemathesis(tools, who, s.busy())
				calls := 0
				for _, n := range statuses {
					calls += n
				}
				if calls < 100 || statuses["200"] == 0 {
					t.Errorf("%d calls were answered with %v", calls, statuses)
				}
			})
		}
	}
}

// busy gives the site's run files, a log, metrics and replies, and adds an app, whose hash it returns.
func (s *site) busy() (hash string) {
	s.T.Helper()
	s.Wrote(map[string]string{"pyproject.toml": "x = 1\n", "notes.txt": "x"})
	s.FillLog(30)
	at := s.Now()
	s.Observe(s.Server.DB, domain.Observation{
		Exchanges: []domain.Exchange{{MessageID: "one", Round: 1, Phase: domain.PhaseTrain, NodeID: 1<<63 + 7, AskedAt: at, RepliedAt: at.Add(time.Second)}, {MessageID: "two", Round: 1, Phase: domain.PhaseEvaluate, NodeID: 8, AskedAt: at}},
		Metrics:   []domain.Metric{{Round: 1, Phase: domain.PhaseTrain, NodeID: 1<<63 + 7, Name: "loss", Value: math.NaN()}, {Round: 1, Phase: domain.PhaseTrain, Name: "loss", Value: math.Inf(1)}, {Round: 2, Phase: domain.PhaseTrain, Name: "loss", Value: 0.5}},
	})
	return s.Tiny()
}

// schemathesis calls the API as somebody and returns how often each status was the answer. hash is of an app that is there.
func (s *site) schemathesis(tools, who, hash string) (statuses map[string]int) {
	t := s.T
	t.Helper()
	dir := t.TempDir()
	scripts, err := filepath.Abs(filepath.Join("testdata", "schemathesis"))
	if err != nil {
		t.Fatal(err)
	}
	existing, err := json.Marshal(map[string]any{"federation": "fed", "run": s.Run.Name, "ref": s.Kept.Ref, "refs": []string{s.Asks.Ref},
		"hash": hash, "app": hash, "path": "pyproject.toml", "round": 1, "id": 1, "part": 1})
	if err != nil {
		t.Fatal(err)
	}
	counted := filepath.Join(dir, "statuses.json")
	env := append(os.Environ(), "PYTHONPATH="+scripts, "PYTHONDONTWRITEBYTECODE=1", "BLOSSOMTUNE_EXISTING="+string(existing), "BLOSSOMTUNE_STATUSES="+counted)
	args := []string{"--config-file", filepath.Join(scripts, "schemathesis.toml"), "run", "http://" + s.Server.Addr().String() +
		"/api/openapi.json"}
	switch who {
	case "stranger":
		for _, id := range s.openOperations() { // the others answer that one has to sign in: TestEveryOperationIsForThoseWhoMay
			args = append(args, "--include-operation-id", id)
		}
	case "node":
		env = append(env, "BLOSSOMTUNE_KEY="+s.keyFile(dir))
		args = append(args, "--include-path-regex", "^/api/v1/agent/", "--exclude-operation-id", "agent-leave") // after it every call would be refused
	default:
		args = append(args, "--exclude-path-regex", "^/api/v1/agent/")
		env = append(env, "BLOSSOMTUNE_SESSION="+s.Cookies[who])
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, filepath.Join(tools, "bin", "schemathesis"), args...)
	cmd.Dir, cmd.Env = dir, env // it leaves its cache there
	out, err := cmd.CombinedOutput()
	if secret := s.Cookies[who]; secret != "" && strings.Contains(string(out), secret) {
		t.Error("the session is printed")
	} else if err != nil {
		t.Errorf("as %s: %v\n%s", who, err, out)
	}
	text, err := os.ReadFile(counted)
	if err == nil {
		err = json.Unmarshal(text, &statuses)
	}
	if err != nil {
		t.Errorf("what schemathesis did: %v\n%s", err, out)
	}
	t.Logf("as %s: %v", who, statuses)
	return statuses
}

// openOperations are those that need no one to sign in.
func (s *site) openOperations() (ids []string) {
	s.T.Helper()
	var d struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []any
		}
	}
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &d); err != nil {
		s.T.Fatal(err)
	}
	for _, methods := range d.Paths {
		for _, op := range methods {
			if len(op.Security) == 0 {
				ids = append(ids, op.OperationID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// keyFile enrols a key for the participant and writes it to a file.
func (s *site) keyFile(dir string) string {
	s.T.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(servertest.KeyOf(s.T, s.Server, s.Fed.ID, s.Kept.ID))
	path := filepath.Join(dir, "node.key")
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		s.T.Fatal(err)
	}
	return path
}
