package web_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// A manager sets on the page after how long they are notified; what is no number is refused beside its field.
func TestNoticeRulesAreSetOnThePage(t *testing.T) {
	s := newSite(t)
	if page := s.Get("manager", "/f/fed/webhooks").Body; !strings.Contains(page, `name="offline" inputmode="numeric" required maxlength="6" value="30"`) {
		t.Errorf("the default is not shown: %s", page)
	}
	wrong := s.Post("manager", "/f/fed/settings/notices", "offline", "soon", "unconnected", "1", "waiting", "1")
	if wrong.Status != http.StatusUnprocessableEntity || !strings.Contains(wrong.Body, `value="soon"`) {
		t.Errorf("%d %s", wrong.Status, wrong.Body)
	}
	if got := s.Post("manager", "/f/fed/settings/notices", "offline", "1", "unconnected", "1", "waiting", "1"); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("a minute: %d", got.Status)
	}
	s.Post("manager", "/f/fed/settings/notices", "offline", "60", "unconnected", "0", "waiting", "12", "remind", "on")
	page := s.Get("manager", "/f/fed/webhooks").Body
	for _, want := range []string{`id="offline" name="offline" inputmode="numeric" required maxlength="6" value="60"`, `value="12"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// A manager reminds a participant who has never connected from the list of SuperNodes, and all of them.
func TestParticipantsAreRemindedFromThePage(t *testing.T) {
	s := newSite(t)
	fresh := s.Request("fresh", s.Fed, domain.Approved)
	page := s.Get("manager", "/f/fed/nodes").Body
	for _, want := range []string{"Remind all who never connected", "to connect</span></button>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	s.Post("manager", "/f/fed/nodes/remind", "id", strconv.FormatInt(fresh.ID, 10))
	if m := s.Mailed("fresh@example.org"); !strings.HasPrefix(m.Subject, "Your machine is not connected to Fed") {
		t.Errorf("%+v", m)
	}
	if again := s.Post("manager", "/f/fed/nodes/remind", "id", strconv.FormatInt(fresh.ID, 10)); again.Status != http.StatusTooManyRequests {
		t.Errorf("again: %d", again.Status)
	}
	if all := s.Post("manager", "/f/fed/nodes/remind", "all", "1"); all.Status >= 400 {
		t.Errorf("all: %d %s", all.Status, all.Body)
	}
}
