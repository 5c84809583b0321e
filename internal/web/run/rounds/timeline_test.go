package rounds

import (
	"fmt"
	"testing"
	"time"

	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

var roundStart = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func second(s float64) time.Time {
	return roundStart.Add(time.Duration(s * float64(time.Second)))
}

// passage is an exchange with seconds for its times; a negative one was not seen.
func passage(node uint64, phase domain.Phase, asked, get, got, put, sent, replied float64) domain.Passage {
	at := func(s float64) time.Time {
		if s < 0 {
			return time.Time{}
		}
		return second(s)
	}
	return domain.Passage{Exchange: domain.Exchange{NodeID: node, Phase: phase, AskedAt: at(asked), RepliedAt: at(replied)}, GetAt: at(get), GotAt: at(got), PutAt: at(put), SentAt: at(sent)}
}

func words(bars []roundBar) (out []string) {
	for _, b := range bars {
		out = append(out, fmt.Sprintf("%s %.0f+%.0f", b.class, b.at, b.long))
	}
	return out
}

func TestARoundIsCutWhereTheGatewaySawItChange(t *testing.T) {
	all := []domain.Passage{passage(1, domain.PhaseTrain, 0, 1, 3, 20, 22, 23), passage(2, domain.PhaseTrain, 0, 1, 2, 8, 9, 10), passage(3, domain.PhaseTrain, 0, -1, -1, -1, -1, 9),
		passage(1, domain.PhaseEvaluate, 30, 31, 32, 35, 36, 37)}
	tl := timelineOf(all, second(50), second(99), false)
	if d := cmp.Diff([]string{"wait 0+2", "get 2+4", "train 6+34", "put 40+4", "wait 44+2", "wait 60+2", "get 62+2", "eval 64+6", "put 70+2", "wait 72+2"}, words(tl.bars(tl.people[1].passages))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"wait 0+18"}, words(tl.bars(tl.people[3].passages))); d != "" {
		t.Errorf("what nobody saw is more than waiting: %s", d)
	}
	bars, took := tl.serverApp()
	if d := cmp.Diff([]string{"wait 0+46", "agg 46+14", "wait 60+14", "agg 74+26"}, words(bars)); d != "" || took != 20*time.Second {
		t.Errorf("the ServerApp, %s: %s", took, d)
	}
	if !tl.slow(tl.people[1]) || tl.slow(tl.people[2]) {
		t.Errorf("stragglers: %v and %v of a median of %v", tl.people[1].took, tl.people[2].took, tl.median)
	}
}

func TestARoundThatGoesOnSaysWhoIsWaitedFor(t *testing.T) {
	all := []domain.Passage{passage(1, domain.PhaseTrain, 0, 1, 2, -1, -1, -1), passage(2, domain.PhaseTrain, 0, 1, 2, 8, 9, 10)}
	tl := timelineOf(all, time.Time{}, second(20), true)
	if d := cmp.Diff([]string{"wait 0+5", "get 5+5", "train 10+90"}, words(tl.bars(tl.people[1].passages))); d != "" {
		t.Error(d)
	}
	labels := map[string]string{"1": "partition 4"}
	if got := tl.words(tl.people[1]); got != "20.0 s so far" {
		t.Error(got)
	}
	over := timelineOf(all, time.Time{}, second(99), false)
	if got := over.words(over.people[1]); got != "no reply" || over.slow(over.people[1]) {
		t.Errorf("%s in a round that is over", got)
	}
	if got := tl.summary(labels); got != "20.0 s so far, waiting for partition 4" {
		t.Error(got)
	}
	if got := timelineOf(all, time.Time{}, second(99), false).summary(labels); got != "took 10.0 s, without partition 4" {
		t.Error(got)
	}
}

func TestTheStripCountsEverybody(t *testing.T) {
	var all []domain.Passage
	for n := range uint64(1000) {
		all = append(all, passage(n+1, domain.PhaseTrain, 0, 0, 10, 50, 100, 100))
	}
	high := map[string]float64{}
	for _, b := range timelineOf(all, time.Time{}, second(100), false).strip() {
		high[b.class] = max(high[b.class], b.high)
		if b.y < 0 || b.y+b.high > 100.0001 {
			t.Fatalf("%+v is outside the strip", b)
		}
	}
	if d := cmp.Diff(map[string]float64{"get": 100, "train": 100, "put": 100}, high); d != "" {
		t.Error(d)
	}
}

func TestManyRoundsShareColumns(t *testing.T) {
	for rounds, want := range map[int]string{1: "30 of 1", 30: "30 of 1", 31: "31 of 1", 200: "200 of 1", 201: "101 of 2", 1000: "200 of 5", 1_000_000: "200 of 5000"} {
		m := shapeOf(rounds, 30, 1)
		if got := fmt.Sprintf("%d of %d", len(m.columns), m.size); got != want {
			t.Errorf("%d rounds: %s, want %s", rounds, got, want)
		}
		if last := m.columns[len(m.columns)-1]; last.to != max(rounds, 30) || !m.columns[0].now {
			t.Errorf("%d rounds: the last column is %+v", rounds, last)
		}
	}
}

func TestWhoWasOfflineIsTold(t *testing.T) {
	came := []domain.Presence{{At: second(0), Online: true}, {At: second(10)}, {At: second(20), Online: true}}
	for at, want := range map[float64]bool{-1: false, 5: false, 10: true, 15: true, 20: false, 99: false} {
		if got := wasOffline(came, second(at)); got != want {
			t.Errorf("at %v: offline %v", at, got)
		}
	}
}
