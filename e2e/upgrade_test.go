package e2e

import (
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/testflwr"
)

var protocolPattern = regexp.MustCompile(`const protocol = (\d+)`)

// older builds the program with a keeper of the protocol before this one's.
func older(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(testflwr.Root(t), "internal", "flower", "engine", "files.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	m := protocolPattern.FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s names no protocol", source)
	}
	n, _ := strconv.Atoi(string(m[1])) // the pattern gives digits
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	changed := write("files.go", strings.Replace(string(text), string(m[0]), "const protocol = "+itoa(n-1), 1))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err != nil {
		t.Fatal(err)
	}
	prog := filepath.Join(dir, "blossomtune-older")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", prog, "./cmd/blossomtune")
	cmd.Dir = testflwr.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v: %s", err, out)
	}
	return prog
}

func (s *server) keeperPID() (pid int) {
	s.t.Helper()
	var st struct{ Keeper struct{ PID int } }
	readJSON(s.t, filepath.Join(s.data, "federations", "1", "keeper.json"), &st)
	return st.Keeper.PID
}

func (s *server) superLink() (state, reason string) {
	s.t.Helper()
	var f struct {
		SuperLink struct{ State, Reason string }
	}
	s.admin.must("GET", "/federations/fed", nil, &f)
	return f.SuperLink.State, f.SuperLink.Reason
}

// stepBack undoes the migration of node statuses, as if the server were of the version before it.
func (s *server) stepBack() {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "blossomtune.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	for _, undo := range []string{"DROP INDEX node_key_by_status", "DROP INDEX node_key_by_release", "DROP INDEX node_key_by_node",
		"DROP INDEX node_key_by_approve", "ALTER TABLE node_key DROP COLUMN status",
		"CREATE INDEX node_key_by_federation ON node_key (federation_id)",
		"DELETE FROM goose_db_version WHERE version_id = 20261129105300"} {
		if _, err := db.ExecContext(s.t.Context(), undo); err != nil {
			s.t.Fatalf("%s: %v", undo, err)
		}
	}
}

// After an upgrade with a migration, a keeper that the earlier version started finishes its run, gets no new one, and is then replaced: no
// limit of a later run is passed over by a keeper that does not know it.
func TestAnOlderKeeperFinishesItsRunAndIsReplaced(t *testing.T) {
	t.Parallel()
	s := startAs(t, older(t), 10, freeAddr(t))
	hash := s.app("works")
	s.admin.must("PATCH", "/federations/fed/run-policy", map[string]int{"parallel": 2}, nil)
	s.launchWith(hash, "before", map[string]string{"seconds": "25"}, nil)
	s.becomes("before", "running", time.Minute)
	first := s.keeperPID()
	s.kill()
	s.stepBack()
	s.prog = bin(t)
	s.serve()
	s.awaitUp()
	if found, err := filepath.Glob(filepath.Join(s.data, "backups", "before-upgrade-*.backup")); len(found) != 1 {
		t.Errorf("backups before the upgrade: %v, %v", found, err)
	}
	s.launchWith(hash, "after", map[string]string{"megabytes": "700", "seconds": "60"}, map[string]any{"memory_mb": 500})
	w := s.waitsFor("after", "waits for the engine's restart", 10*time.Second)
	if w.State != "queued" || w.Waits.Late || s.keeperPID() != first || s.get("before").State != "running" {
		t.Errorf("%s %+v, keeper %d, was %d; before is %s", w.State, *w.Waits, s.keeperPID(), first, s.get("before").State)
	}
	if state, reason := s.superLink(); state != "up" || !strings.Contains(reason, "restarts automatically when") {
		t.Errorf("the SuperLink is told to be %s: %s", state, reason)
	}
	r := s.becomes("before", "completed", time.Minute)
	if log, err := os.ReadFile(s.logFile(r)); err != nil || strings.Count(string(log), "DONE ") != 1 {
		t.Errorf("%v, its log:\n%s", err, log)
	}
	s.failedBy("after", "memory_limit", "ServerApp", "The ServerApp held ", time.Minute)
	if now := s.keeperPID(); now == first {
		t.Errorf("the keeper is still %d", first)
	}
	if state, reason := s.superLink(); state != "up" || reason != "" {
		t.Errorf("at the end the SuperLink is told to be %s: %s", state, reason)
	}
	t.Run("idle", func(t *testing.T) {
		s.kill()
		s.prog = older(t)
		s.serve() // as after a step back: it has nothing to do, and is replaced at once
		second := s.keeperPID()
		await(t, time.Minute, "the keeper is replaced", func() (string, bool) { pid := s.keeperPID(); return itoa(pid), pid != second })
		s.awaitUp()
	})
}

// A SuperLink that ends again and again is given up: the board and the federation say so with what ended it, even an admin launches only
// with a reason meanwhile, and "Start" tries it anew.
func TestASuperLinkThatWasGivenUpIsStartedByHand(t *testing.T) {
	s := startWith(t, 10, freeAddr(t), flowerEngine)
	hash := s.app("works")
	await(t, 2*time.Minute, "the SuperLink is given up", func() (string, bool) {
		state, reason := s.superLink()
		for _, p := range processes(s.data) {
			pid, cmd, _ := strings.Cut(p, " ")
			if n, err := strconv.Atoi(pid); err == nil && strings.Contains(cmd, "flower-superlink") {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
		return state + " " + reason, state == "failed"
	})
	in := map[string]any{"app": hash, "name": "first"}
	err := refused(t, s.admin.try("POST", "/federations/fed/runs", in, nil), domain.Conflict, "override")
	if err.Message != "The board says no-go: SuperLink is failed, and a launch needs it up." || !strings.Contains(err.Remedy, "It ended 8 times in a row, the last time: ended by SIGKILL. Look at the SuperLink's log; then a manager starts it on the federation's page. An admin") {
		t.Errorf("%s %s", err.Message, err.Remedy)
	}
	in["override"] = "it is started in a moment"
	s.admin.must("POST", "/federations/fed/runs", in, nil)
	s.waitsFor("first", "waits for the SuperLink, which is failed", 10*time.Second)
	s.admin.must("PUT", "/federations/fed/superlink", map[string]string{"state": "up"}, nil)
	s.becomes("first", "completed", time.Minute)
}
