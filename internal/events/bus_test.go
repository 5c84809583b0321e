package events

import (
	"fmt"
	"sync"
	"testing"
)

func TestSubscriberGetsItsTopicsInOrder(t *testing.T) {
	b := NewBus()
	s := b.Subscribe("a", "b")
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
	slow := b.Subscribe("x")
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
	fresh := b.Subscribe("x")
	b.Publish(Event{Topic: "x", Kind: "on"})
	if e := <-fresh.Events(); e.Kind != "on" {
		t.Error(e)
	}
}

func TestPublishAndCloseRace(t *testing.T) {
	b := NewBus()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s := b.Subscribe("x")
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
