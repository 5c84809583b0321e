package app

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Without a script, a destructive form is answered with a page that asks. Nothing changes until that page's own form is sent.
func TestDestructiveFormsAskWithoutAScript(t *testing.T) {
	s := newSite(t)
	s.addRun(s.fed.ID, "r-2", s.goesOn(43))
	if a := s.post("manager", "/f/fed/superlink/start"); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	manager := "/admin/people/" + strconv.FormatInt(s.persons["manager"].ID, 10)
	for _, c := range []struct{ kind, path, asks, back, action string }{
		{"asker", "/me/fed/withdraw", "Withdraw your request to join Fed?", "/me/fed", "request.withdrawn"},
		{"manager", "/f/fed/runs/r-2/stop", "A stopped run cannot be resumed.", "/f/fed/runs/r-2", "run.stop_asked"},
		{"manager", "/f/fed/superlink/stop", "Stop the SuperLink of Fed? 1 run in progress ends as stopped.", "/f/fed", "superlink.stopped"},
		{"admin", manager + "/signout", "out everywhere and revoke all their API tokens?", manager, "person.access_ended"},
	} {
		asked := s.post(c.kind, c.path)
		if asked.status != http.StatusOK || !strings.Contains(asked.body, c.asks) || !strings.Contains(asked.body, `href="`+c.back+`"`) {
			t.Errorf("%s does not ask: %d %.300s", c.path, asked.status, asked.body)
			continue
		}
		if strings.Contains(s.auditText(), c.action) {
			t.Errorf("%s acts before the answer", c.path)
		}
		forms := slices.DeleteFunc(formsOf(t, asked.body, c.path), func(f form) bool { return f.action != c.path })
		if len(forms) != 1 {
			t.Errorf("%s: the page has the forms %v", c.path, forms)
			continue
		}
		if a := s.send(c.kind, http.MethodPost, c.path, forms[0].values, nil); a.status != http.StatusSeeOther {
			t.Errorf("%s, confirmed: %d", c.path, a.status)
		}
		if !strings.Contains(s.auditText(), c.action) {
			t.Errorf("%s, confirmed, changes nothing", c.path)
		}
	}
}
