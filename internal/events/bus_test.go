package events

import (
	"fmt"
	"sync"
	"testing"
)

func TestSubscriberGetsItsTopicsInOrder(t *testing.T) {
	b := NewBus()
	s, _ := b.Subscribe("a", "b")
	for i := range 10 {
		b.Publish(Event{Topic: []string{"a", "b", "c"}[i%3], Kind: fmt.Sprint(i)})
	}
	s.Close()
	got := ""
	for e := range s.Events() {
		got += e.Kind
	}
	if got != "0134679" {
		t.Errorf("got %s", got)
	}
}

func TestSlowSubscriberIsDroppedAndOthersGoOn(t *testing.T) {
	b := NewBus()
	slow, _ := b.Subscribe("x")
	for range queueSize + 1 {
		b.Publish(Event{Topic: "x"})
	}
	n := 0
	for range slow.Events() {
		n++
	}
	if n != queueSize || !slow.Lagged() {
		t.Errorf("%d events, lagged %v", n, slow.Lagged())
	}
	slow.Close()
	fresh, _ := b.Subscribe("x")
	b.Publish(Event{Topic: "x", Kind: "on"})
	if e := <-fresh.Events(); e.Kind != "on" {
		t.Error(e)
	}
}

func TestResumeMissesAndDoublesNothing(t *testing.T) {
	b := NewBus()
	for i := range 100 {
		b.Publish(Event{Topic: "x", Kind: fmt.Sprint(i + 1)})
	}
	s, ok := b.SubscribeAfter(90, "x")
	if !ok {
		t.Fatal("not resumed")
	}
	b.Publish(Event{Topic: "x", Kind: "101"})
	for want := uint64(91); want <= 101; want++ {
		if e := <-s.Events(); e.Seq != want || e.Kind != fmt.Sprint(want) {
			t.Fatalf("got %+v, want %d", e, want)
		}
	}
	if _, ok := b.SubscribeAfter(5000, "x"); ok {
		t.Error("resumed after a number of another process")
	}
	for range 2 * ringSize {
		b.Publish(Event{Topic: "y"})
	}
	if _, ok := b.SubscribeAfter(90, "x"); ok {
		t.Error("resumed after what is forgotten")
	}
}

func TestPublishAndCloseRace(t *testing.T) {
	b := NewBus()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s, _ := b.Subscribe("x")
				b.Publish(Event{Topic: "x"})
				s.Close()
			}
		})
	}
	wg.Wait()
	if len(b.subs) != 0 {
		t.Errorf("%d subscriptions left", len(b.subs))
	}
}
