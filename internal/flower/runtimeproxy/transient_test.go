package runtimeproxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// A SuperLink whose database is locked ends no ServerApp: its 500 is a 503, which a ServerApp repeats. A call that fails for longer
// than a lock lasts gets the 500, and one that succeeds in between begins again.
func TestALockedDatabaseEndsNoServerApp(t *testing.T) {
	status := http.StatusInternalServerError
	upstream := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	now := time.Now()
	o := options(&sink{}, engineRunID, upstream)
	o.Clock = domain.Clock(func() time.Time { return now })
	p := New(o)
	call := func(name string) int {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, prefix+name, http.NoBody))
		return w.Code
	}
	for _, name := range []string{"send-task-heartbeat", "pull-messages", "push-messages", "pull-object", "push-object", "confirm-message-received", "push-task-output", "get-nodes"} {
		if got := call(name); got != http.StatusServiceUnavailable {
			t.Errorf("%s: status %d", name, got)
		}
	}
	for range 3 {
		now = now.Add(transientFor/4 - time.Second)
		_, _ = call("get-nodes"), call("send-task-heartbeat")
	}
	now = now.Add(transientFor / 4)
	status = http.StatusOK
	if got := call("get-nodes"); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	status = http.StatusInternalServerError
	now = now.Add(4 * time.Second)
	if got := call("get-nodes"); got != http.StatusServiceUnavailable {
		t.Errorf("after a success: status %d", got)
	}
	if got := call("send-task-heartbeat"); got != http.StatusInternalServerError {
		t.Errorf("after %s: status %d", transientFor, got)
	}
	now = now.Add(forgotten + time.Second)
	if got := call("send-task-heartbeat"); got != http.StatusServiceUnavailable {
		t.Errorf("long after the last failure: status %d", got)
	}
	status = http.StatusForbidden
	if got := call("get-nodes"); got != http.StatusForbidden {
		t.Errorf("another status: %d", got)
	}
}
