package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// A client that asks for pages of a run's participants gets the list that it gets without, a page at a time.
func TestTheParticipantsOfARunArePaged(t *testing.T) {
	s := newSite(t)
	s.Enrol(7)
	s.Request("idle", s.Fed, domain.Approved)
	s.Took("r-2", 43, map[uint64]string{7: "ok"})
	get := func(query string) (v client.RunParticipants) {
		a := s.Get("manager", "/api/v1/runs/r-2/participants"+query)
		if err := json.Unmarshal([]byte(a.Body), &v); err != nil || a.Status != http.StatusOK {
			t.Fatal(query, a.Status, a.Body)
		}
		return v
	}
	all := get("")
	first := get("?limit=1")
	if len(all.Participants) != 2 || all.Next != "" || len(first.Participants) != 1 || first.Next == "" {
		t.Fatalf("all are %+v, the first page is %+v", all, first)
	}
	second := get("?limit=1&after=" + first.Next)
	if len(second.Participants) != 1 || second.Next != "" || first.Participants[0].Fingerprint != all.Participants[0].Fingerprint ||
		second.Participants[0].Fingerprint != all.Participants[1].Fingerprint ||
		*second.Participants[0].Partition == *first.Participants[0].Partition {
		t.Errorf("the second page is %+v, after %+v", second, first)
	}
	for _, query := range []string{"?limit=1&after=x", "?after=" + first.Next, "?limit=1001"} {
		if a := s.Get("manager", "/api/v1/runs/r-2/participants"+query); a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s is answered with %d", query, a.Status)
		}
	}
}
