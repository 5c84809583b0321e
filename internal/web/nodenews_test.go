package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
	"blossomtune/internal/onboarding"
)

// nodeAt is the key of the SuperNode of a partition.
func (s *site) nodeAt(partition int) domain.NodeKey {
	s.T.Helper()
	rows, err := s.Server.Onboarding.Nodes(s.T.Context(), domain.NodeFilter{FederationID: s.Fed.ID, Search: fmt.Sprint(partition), Limit: 50})
	if err != nil {
		s.T.Fatal(err)
	}
	for _, r := range rows {
		if r.Holder.Partition == partition {
			return r.Key
		}
	}
	s.T.Fatalf("no SuperNode has partition %d", partition)
	return domain.NodeKey{}
}

// A viewer of a page of SuperNodes is sent the row that changed, and the list only when another one is shown.
func TestAStreamSendsOnlyTheRowThatChanged(t *testing.T) {
	s := newSite(t)
	s.fillNodes(1, 300)
	res := s.streamAs("manager", "/f/fed/nodes/events")
	first := s.until(res, "</table></div></hx-partial>\n\n")
	if strings.Count(first, "<tr id=") < 50 {
		t.Errorf("the stream begins with %d rows", strings.Count(first, "<tr id="))
	}
	k := s.nodeAt(7)
	row := fmt.Sprintf(`<hx-partial hx-target="#node-%d" hx-swap="outerMorph">`, k.ID)
	k.Seen.BytesIn = 123_000_000_000
	s.Server.Seen.Came(fleet.Seen{Key: k, Seen: k.Seen})
	news := s.until(res, "</hx-partial>\n\n")
	if !strings.Contains(news, row) || !strings.Contains(news, "123 GB") || strings.Count(news, "<tr ") != 1 ||
		strings.Count(news, "<hx-partial") != 1 {
		t.Errorf("after one row changed: %s", news)
	}
	k.Seen.Online = false
	s.Server.Seen.Came(fleet.Seen{Key: k, Seen: k.Seen})
	if news = s.until(res, row); strings.Contains(news, `hx-target="#list"`) {
		t.Errorf("after one went offline: %s", news)
	}
	if _, err := s.Server.Onboarding.Revoke(t.Context(), domain.System, k.RequestID, "left"); err != nil {
		t.Fatal(err)
	}
	s.until(res, `hx-target="#list"`)
}

// streamAs follows a live page as a kind of visitor.
func (s *site) streamAs(kind, path string) *http.Response {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, "http://"+s.Server.Addr().String()+path, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies[kind]})
	res, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { res.Body.Close() })
	return res
}

// Many SuperNodes that come at once are stored and told together, and none is lost.
func TestSuperNodesThatComeAtOnceAreToldTogether(t *testing.T) {
	s := newSite(t)
	s.fillNodes(1, 300)
	offline, err := s.Server.Onboarding.Nodes(t.Context(), domain.NodeFilter{FederationID: s.Fed.ID, Status: domain.NodeOnline, Limit: 300})
	if err != nil || len(offline) < 200 {
		t.Fatal(len(offline), err)
	}
	sub := s.Server.Events.Subscribe(onboarding.RequestsTopic(s.Fed.ID))
	defer sub.Close()
	for _, r := range offline {
		r.Key.Seen.Online = false
		s.Server.Seen.Came(fleet.Seen{Key: r.Key, Seen: r.Key.Seen})
	}
	told, deadline := 0, time.After(20*time.Second)
	for {
		tally, err := s.Server.Onboarding.NodeTally(t.Context(), s.Fed.ID)
		if err != nil {
			t.Fatal(err)
		}
		if tally.By[domain.NodeOnline] == 0 {
			break
		}
		select {
		case <-sub.Events():
			told++
		case <-deadline:
			t.Fatalf("%d of %d are stored as online", tally.By[domain.NodeOnline], len(offline))
		}
	}
	if told > len(offline)/10 {
		t.Errorf("%d SuperNodes were told in %d events", len(offline), told)
	}
}
