package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
	"blossomtune/internal/testbrowser"
)

// linkTo makes a link to a run and returns its path.
func (s *site) linkTo(run string, more ...string) string {
	s.T.Helper()
	a := s.Post("manager", "/f/fed/runs/"+run+"/share", more...)
	link := shareLink.FindString(a.Body)
	if link == "" {
		s.T.Fatalf("no link to %s: %d", run, a.Status)
	}
	return link
}

// stream follows a live page as a stranger from an address of their own. It returns at once what the server says instead, if it does.
func (s *site) stream(path, address string) *http.Response {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, "http://"+s.Server.Addr().String()+path, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", address)
	res, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { res.Body.Close() })
	return res
}

// until reads a stream until words come in it, or with none until the server ends it.
func (s *site) until(res *http.Response, words string) (text string) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), 20*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { res.Body.Close() })()
	part := make([]byte, 4096)
	for words == "" || !strings.Contains(text, words) {
		n, err := res.Body.Read(part)
		text += string(part[:n])
		if err == io.EOF && words == "" && ctx.Err() == nil {
			return text
		}
		if err != nil {
			s.T.Fatalf("waiting for %q: %v after %q", words, err, text)
		}
	}
	return text
}

// A link stops by itself on its date, with what may be done; another one goes on. Its managers see which is which.
func TestALinkRunsOutOnItsDate(t *testing.T) {
	s := newSite(t)
	short, long := s.linkTo("r-1", "days", "1"), s.linkTo("r-1", "days", "7")
	s.Passes(23 * time.Hour)
	if a := s.Get("stranger", short); a.Status != http.StatusOK {
		t.Errorf("an hour too early: %d", a.Status)
	}
	s.Passes(2 * time.Hour)
	a := s.Get("stranger", short)
	for _, words := range []string{"This link worked until ", "Ask the person who sent it for another one."} {
		if a.Status != http.StatusGone || !strings.Contains(a.Body, words) {
			t.Errorf("%d, without %q", a.Status, words)
		}
	}
	for _, part := range []string{"/charts.json", "/metrics.csv", "/rounds", "/events"} {
		if a := s.Get("stranger", short+part); a.Status != http.StatusGone || strings.Contains(a.Body, "r-1") {
			t.Errorf("%s: %d", part, a.Status)
		}
	}
	var said struct{ Code, Message, Remedy string }
	if err := json.Unmarshal([]byte(s.Get("stranger", short+"/charts.json").Body), &said); err != nil || said.Code != "expired" ||
		said.Remedy == "" {
		t.Errorf("%+v %v", said, err)
	}
	if a := s.Get("stranger", long); a.Status != http.StatusOK {
		t.Errorf("the other link: %d", a.Status)
	}
	if page := s.Get("manager", "/f/fed/runs/r-1").Body; strings.Count(page, "run out, until") != 1 ||
		strings.Count(page, "works, until") != 1 {
		t.Error("the run's page does not say which link works")
	}
}

// Who has a link sees a run that goes on change by itself, and what the link does not open stays away; when it is taken back, the page
// says so by itself.
func TestASharedRunIsLive(t *testing.T) {
	s := newSite(t)
	s.launched("r-2")
	link := s.linkTo("r-2", "days", "7")
	d := testbrowser.New(t)
	s.browse(d, "stranger", link)
	d.Do("stranger", "wait", ".b-live.is-ok", "")
	d.Do("stranger", "wait", "#head .b-pill:has-text('queued')", "")
	if a := s.Post("manager", "/f/fed/runs/r-2/stop"); a.Status != http.StatusSeeOther {
		t.Fatal(a.Status)
	}
	d.Do("stranger", "wait", "#head .b-pill:has-text('stopped')", "")
	var list []struct{ ID int64 }
	if err := json.Unmarshal([]byte(s.Get("manager", "/api/v1/runs/r-2/shares").Body), &list); err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	s.Post("manager", "/f/fed/runs/r-2/share/revoke", "id", fmt.Sprint(list[0].ID), "confirmed", "yes")
	d.Do("stranger", "wait", "main:has-text('This link was revoked.')", "")
	if text := d.Do("stranger", "read", "main", ""); !strings.Contains(text, "Ask the person who sent it for another one.") {
		t.Errorf("the page says %q", text)
	}
}

// A stream with a link has what the link's page has, ends on the link's date or when it is taken back, and there are only so many.
func TestAStreamWithALinkEnds(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) { c.BehindProxy = true })
	run := s.launched("r-2", "note", "between us")
	plain, full, third := s.linkTo("r-2", "days", "1"), s.linkTo("r-2", "days", "2", "log", "1"), s.linkTo("r-2", "days", "3", "log", "1")
	a, b := s.stream(plain+"/events", "198.51.100.1"), s.stream(full+"/events", "198.51.100.2")
	text := s.until(a, "event: rounds")
	s.until(b, "event: rounds")
	said := json.RawMessage(`{"total":1,"lines":[{"n":1,"text":"KeyError of Site North"}]}`)
	s.Server.Events.Publish(events.Event{Topic: runs.RunTopic(run.ID), Kind: "log", Data: said})
	if log := s.until(b, "KeyError"); !strings.Contains(log, "event: log") {
		t.Errorf("a link with the log has %q", log)
	}
	s.Server.Events.Publish(events.Event{Topic: runs.RunTopic(run.ID), Kind: "state"})
	s.Passes(25 * time.Hour)
	text += s.until(a, "")
	for _, words := range []string{"KeyError", "event: log", "between us", "admin", "override", "/f/fed"} {
		if strings.Contains(text, words) {
			t.Errorf("the stream of a link without the log says %q: %s", words, text)
		}
	}
	if !strings.HasSuffix(text, "event: gone\ndata: null\n\n") {
		t.Errorf("its date has passed, and the last that it says is %q", text[max(0, len(text)-100):])
	}
	s.until(b, "event: beat") // its own date has not
	all, err := s.Server.Runs.Shares(t.Context(), run)
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	if err := s.Server.Runs.RevokeShare(t.Context(), domain.System, run, all[1].ID); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if end := s.until(b, ""); !strings.Contains(end, "event: gone") || time.Since(began) > 2*time.Second {
		t.Errorf("taken back, and after %s it says %q", time.Since(began), end)
	}
	for i := range 100 {
		if res := s.stream(third+"/events", fmt.Sprint("203.0.113.", i+1)); res.StatusCode != http.StatusOK {
			t.Fatalf("watcher %d: %s", i+1, res.Status)
		}
	}
	if res := s.stream(third+"/events", "203.0.113.200"); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("any number of people may watch with one link: %s", res.Status)
	}
}
