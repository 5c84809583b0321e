package agent

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/testflwr"
)

// counted returns a machine that is enrolled at a server which counts what reaches it.
func counted(t *testing.T, p approval.Policy) (*machine, *atomic.Int64) {
	t.Helper()
	var calls atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(server.Close)
	return newMachine(t, &liar{t: t, server: server}, p), &calls
}

// rehearse runs a rehearsal with the Python of tests.
func (m *machine) rehearse(fab []byte, limit time.Duration) (*Rehearsal, error) {
	n, err := m.node()
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := m.here().rehearse(m.t.Context(), &node{j: n.j, st: n.st, env: n.env}, fab, limit)
	if err == nil && m.t.Context().Err() == nil {
		m.t.Logf("%+v", *r)
	}
	return r, err
}

func build(t *testing.T, folder ...string) []byte {
	t.Helper()
	fab, err := testflwr.Venv(t).BuildFAB(context.Background(), filepath.Join(append([]string{testflwr.Root(t)}, folder...)...))
	if err != nil {
		t.Fatal(err)
	}
	return fab
}

// files lists a folder with the contents' hashes.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		sum := sha256.Sum256(content)
		out = append(out, strings.TrimPrefix(path, dir)+" "+string(sum[:]))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// One round of an unmodified app, whose ServerApp waits for two participants, shows what would leave; the server is not called, and nothing
// is left behind.
func TestARehearsalShowsWhatWouldLeave(t *testing.T) {
	m, calls := counted(t, approval.Any)
	m.write(approval.RulesFile, "", 0o600)
	m.write("rehearsal.lock", "", 0o600)
	before := files(t, string(m.h))
	r, err := m.rehearse(build(t, "apps", "quickstart_digits"), 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete || r.ServerApp != "completed" || r.Config["num-server-rounds"] != int64(1) || r.SuperNodes != 2 || r.Refused != "" {
		t.Errorf("the rehearsal: %+v", r)
	}
	var types []string
	for _, reply := range r.Replies {
		types = append(types, reply.Type)
		if reply.Copies != 1 || reply.Error != "" || reply.Bytes == 0 || reply.Objects == 0 {
			t.Errorf("the reply to %s: %+v", reply.Type, reply)
		}
	}
	if !slices.Equal(types, []string{"train", "evaluate"}) {
		t.Fatalf("messages: %v", types)
	}
	for _, rec := range r.Replies[0].Records {
		if rec.Kind == "ArrayRecord" && (len(rec.Arrays) == 0 || rec.Arrays[0].DType == "" || rec.Arrays[0].Bytes == 0) {
			t.Errorf("the model's record: %+v", rec)
		}
	}
	if !slices.ContainsFunc(r.Replies[0].Records, func(rec ledger.Record) bool { return rec.Kind == "ArrayRecord" }) ||
		!slices.ContainsFunc(r.Replies[1].Records, func(rec ledger.Record) bool { return rec.Kind == "MetricRecord" && rec.Bytes > 0 }) {
		t.Errorf("the records: %+v", r.Replies)
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("the server was called %d times", n)
	}
	if after := files(t, string(m.h)); !slices.Equal(after, before) {
		t.Errorf("the machine's folder has %q, had %q", after, before)
	}
}

// An app that fails is shown with its own last lines, on this machine alone.
func TestARehearsalOfAnAppThatFails(t *testing.T) {
	m, calls := counted(t, approval.Any)
	r, err := m.rehearse(build(t, "e2e", "apps", "raises"), 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if r.Complete || !strings.HasPrefix(r.ServerApp, "failed: ") || !strings.Contains(strings.Join(r.Output, "\n"), "about to read the learning rate") {
		t.Errorf("the rehearsal: %+v", r)
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("the server was called %d times", n)
	}
}

// A round that does not end is ended, and says so.
func TestARehearsalIsLimited(t *testing.T) {
	m, _ := counted(t, approval.Any)
	began := time.Now()
	r, err := m.rehearse(build(t, "e2e", "apps", "hangs"), 8*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if r.Complete || !strings.Contains(r.ServerApp, "did not end within 8s") || time.Since(began) > time.Minute {
		t.Errorf("after %s: %+v", time.Since(began), r)
	}
}

// The owner's decisions hold: a rejected version does not run, and one at a time runs.
func TestRehearsalsThatAreRefused(t *testing.T) {
	m, _ := counted(t, approval.Ask)
	fab := bundle(t, "")
	if _, err := m.here().rehearsed(RehearsalOptions{}); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("without any version: %v", err)
	}
	version, err := approval.Read(fab, false)
	if err == nil {
		_, err = m.h.shelf().Add(approval.Seen{Version: version, Rule: approval.RuleApproval}, fab)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.here().rehearsed(RehearsalOptions{}); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a version that waits was chosen: %v", err)
	}
	if got, err := m.here().rehearsed(RehearsalOptions{App: wire.ObjectID(fab)[:16]}); err != nil || wire.ObjectID(got) != wire.ObjectID(fab) {
		t.Errorf("the named version: %v", err)
	}
	m.approve(fab)
	if got, err := m.here().rehearsed(RehearsalOptions{}); err != nil || wire.ObjectID(got) != wire.ObjectID(fab) {
		t.Errorf("the approved version: %v", err)
	}
	v, err := m.here().FindApp(wire.ObjectID(fab))
	if err == nil {
		err = m.here().Decide(v, approval.Rejected, m.now)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.rehearse(fab, time.Minute); domain.CodeOf(err) != domain.Conflict || !strings.Contains(err.Error(), "rejected") {
		t.Errorf("a rejected version: %v", err)
	}
	guard, err := lockRehearsal(m.h.file("rehearsal"))
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close()
	if _, err := m.rehearse(fab, time.Minute); domain.CodeOf(err) != domain.Conflict || !strings.Contains(err.Error(), "runs on this machine already") {
		t.Errorf("a second rehearsal: %v", err)
	}
}
