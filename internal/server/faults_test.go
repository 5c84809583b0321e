package server_test

import (
	"blossomtune/internal/servertest"
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
)

// Who takes part is nobody else's business: strangers and other participants see neither names nor addresses.
func TestNamesAreNotForEverybody(t *testing.T) {
	s := newSite(t)
	for _, kind := range []string{"stranger", "outsider", "asker", "revoked", "participant"} {
		for _, path := range []string{"/", "/join/fed", "/verify?ref=PARTICIPANT", "/me", "/me/fed", "/f", "/f/fed", "/f/fed/runs", "/f/fed/runs/r-1", "/api/v1/federations/fed", "/api/v1/federations/fed/runs", "/api/v1/runs/r-1"} {
			a := s.Get(kind, path)
			for _, other := range servertest.Kinds[1:] {
				if other != kind && strings.Contains(a.Body, other+"@example.org") {
					t.Errorf("%s sees the address of %s at %s", kind, other, path)
				}
			}
		}
	}
	if !strings.Contains(s.Get("manager", "/f/fed/requests").Body, "asker@example.org") {
		t.Error("a manager does not see who asks")
	}
}

// A participant is told the address that they can reach, not the one listened on.
func TestParticipantsAreToldThePublicAddress(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) { c.PublicURL = "https://fl.example.org" })
	body := s.Get("participant", "/me/fed").Body
	if !strings.Contains(body, "fl.example.org:443") || strings.Contains(body, "127.0.0.1") || strings.Contains(body, "localhost") {
		t.Error("the status page does not have the public address alone")
	}
}

// A mail server that never answers holds up nobody.
func TestASilentMailServerHoldsUpNobody(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	called := make(chan struct{})
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			close(called)
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	s := newSiteWith(t, func(c *config.Config) {
		c.Mail.Host, c.Mail.Port, c.Mail.From, c.Mail.TLS = "127.0.0.1", ln.Addr().(*net.TCPAddr).Port, "fl@example.org", "none"
	})
	if a := s.Post("stranger", "/join/fed", "email", "new@example.org", "name", "New"); a.Status != http.StatusSeeOther {
		t.Fatalf("asking: %d", a.Status)
	}
	select {
	case <-called: // from here on the mail server is waited for
	case <-time.After(20 * time.Second):
		t.Fatal("the mail server was not called")
	}
	for _, kind := range servertest.Kinds {
		if a := s.Get(kind, "/join/fed"); a.Status >= 400 {
			t.Errorf("as %s: %d", kind, a.Status)
		}
	}
}

// Everybody who watches is told, not only the first.
func TestEveryViewerIsTold(t *testing.T) {
	s := newSite(t)
	var watching []*http.Response
	for range 3 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Server.PublicURL()+"/f/fed/runs/r-1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["viewer"]})
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		watching = append(watching, res)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	told := make(chan bool)
	for _, res := range watching {
		go func() {
			seen := false
			for scan := bufio.NewScanner(res.Body); !seen && scan.Scan(); {
				seen = strings.HasPrefix(scan.Text(), "event: log")
			}
			told <- seen
		}()
	}
	late := time.After(20 * time.Second)
	for n := 0; n < len(watching); {
		select {
		case seen := <-told:
			if !seen {
				t.Fatal("a stream ended without telling of new lines")
			}
			n++
		case <-tick.C: // a stream that was not subscribed yet misses nothing but this
			s.Server.Events.Publish(events.Event{Topic: runs.RunTopic(s.Run.ID), Kind: "log"})
		case <-late:
			t.Fatalf("%d of %d viewers were told", n, len(watching))
		}
	}
}

// Signing in leads to no other site.
func TestSigningInLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{"https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "javascript%3Aalert(1)", "%2Ff%2Ffed"} {
		secret, err := s.Server.Accounts.NewSignInLink(t.Context(), s.Persons["viewer"].ID)
		if err != nil {
			t.Fatal(err)
		}
		a := s.Send("stranger", http.MethodPost, "/signin/"+secret, nil,
			func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "blossomtune_next", Value: next}) })
		to := a.Header.Get("Location")
		if a.Status != http.StatusSeeOther || !strings.HasPrefix(to, "/") || strings.Contains(to, "evil") {
			t.Errorf("%s leads to %d %q", next, a.Status, to)
		}
		if next == "%2Ff%2Ffed" && to != "/f/fed" {
			t.Errorf("where somebody wanted to go is forgotten: %q", to)
		}
	}
}

// A cookie or token that we did not give out is nobody's.
func TestForgedSessionsAreStrangers(t *testing.T) {
	s := newSite(t)
	good := s.Cookies["admin"]
	for _, forged := range []string{"1", "admin", good[:len(good)-1], good + "0", strings.ToUpper(good), strings.Repeat("0", len(good))} {
		s.Cookies["forger"] = forged
		if a := s.Get("forger", "/f"); !a.Refused() {
			t.Errorf("the session %q gets %d", forged, a.Status)
		}
	}
}
