package fleet

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// entered counts the places that work of one owner gets.
func (l *lane[K]) entered(ctx context.Context, owner K, urgent bool, wait time.Duration) chan func() {
	got := make(chan func(), 1)
	go func() { got <- l.enter(ctx, owner, urgent, wait) }()
	return got
}

func TestALaneServesOwnersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane[string]{places: 1, most: 100}
		leave := l.enter(t.Context(), "first", false, 0)
		var order []string
		wait := func(owner string) {
			got := l.entered(t.Context(), owner, false, time.Hour)
			go func() {
				leave := <-got
				order = append(order, owner)
				leave()
			}()
			synctest.Wait()
		}
		for range 3 {
			wait("greedy")
		}
		wait("modest")
		wait("other")
		leave()
		synctest.Wait()
		want := []string{"greedy", "modest", "other", "greedy", "greedy"}
		for i := range want {
			if i >= len(order) || order[i] != want[i] {
				t.Fatalf("served %v, want %v", order, want)
			}
		}
	})
}

func TestALaneKeepsPlacesForUrgentWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane[string]{places: 3, reserve: 1, most: 100}
		a, b := l.enter(t.Context(), "a", false, 0), l.enter(t.Context(), "b", false, 0)
		if a == nil || b == nil || l.enter(t.Context(), "c", false, time.Second) != nil {
			t.Fatal("two places are for all work, the third is not")
		}
		urgent := l.enter(t.Context(), "d", true, 0)
		if urgent == nil {
			t.Fatal("the place for urgent work was not given")
		}
		ordinary, next := l.entered(t.Context(), "e", false, time.Hour), l.entered(t.Context(), "f", true, time.Hour)
		synctest.Wait()
		a()
		synctest.Wait()
		select {
		case leave := <-next:
			leave()
		default:
			t.Error("urgent work that waits does not go first")
		}
		urgent()
		b()
		(<-ordinary)()
		if l.busy != 0 || len(l.by) != 0 || len(l.queues) != 0 || l.count != 0 {
			t.Errorf("left behind: %d places, %v, %v", l.busy, l.by, l.queues)
		}
	})
}

func TestALaneBoundsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane[string]{places: 2, each: 1, most: 2}
		leave := l.enter(t.Context(), "a", false, 0)
		second := l.entered(t.Context(), "a", false, time.Hour) // a has its share
		synctest.Wait()
		other := l.enter(t.Context(), "b", false, 0)
		if other == nil {
			t.Fatal("a place is free, and b has none")
		}
		ctx, cancel := context.WithCancel(t.Context())
		third := l.entered(ctx, "c", false, time.Hour)
		synctest.Wait()
		if l.enter(t.Context(), "d", false, time.Hour) != nil {
			t.Error("more wait than may")
		}
		cancel()
		if <-third != nil {
			t.Error("work whose caller has left got a place")
		}
		leave()
		(<-second)()
		other()
		if l.busy != 0 || len(l.turns) != 0 || l.count != 0 {
			t.Errorf("left behind: %d places, %v", l.busy, l.turns)
		}
	})
}
