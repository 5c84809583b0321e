package runtimeproxy

import (
	"context"
	"sync"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"
)

// Reply names a SuperNode's reply by the message that it answers.
type Reply struct {
	EngineRunID uint64 `json:"run"`
	MessageID   string `json:"message"`
}

// arrivals are the replies that have reached the SuperLink with all their objects and were not handed out yet, as far as the gateway
// reported them. They only say when to ask the SuperLink: a reply that is missing here is found by polling.
type arrivals struct {
	mu   sync.Mutex
	ids  map[string]bool
	news chan struct{} // closed by the next arrival
}

func newArrivals() arrivals { return arrivals{ids: map[string]bool{}, news: make(chan struct{})} }

// maxArrivals bounds the replies that nobody asks for.
const maxArrivals = 500_000

// Arrived tells the proxy that all of the reply to a message is at the SuperLink.
func (p *Proxy) Arrived(messageID string) {
	a := &p.arrivals
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ids) >= maxArrivals {
		clear(a.ids)
	}
	a.ids[messageID] = true
	close(a.news)
	a.news = make(chan struct{})
}

// next returns a channel that the next arrival closes.
func (a *arrivals) next() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.news
}

// complete reports whether the replies to all messages have arrived, and returns the channel that the next arrival closes.
func (a *arrivals) complete(messages []string) (bool, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range messages {
		if !a.ids[id] {
			return false, a.news
		}
	}
	return true, a.news
}

// forget drops replies that the SuperLink has handed out.
func (a *arrivals) forget(replies []*flwrpb.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range replies {
		delete(a.ids, m.GetMetadata().GetReplyToMessageId())
	}
}

// await pauses for a while, or until an arrival makes the replies to all messages complete; news must have been taken before the
// SuperLink was asked. It returns false when ctx ends first.
func (a *arrivals) await(ctx context.Context, messages []string, news <-chan struct{}, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-news:
			var done bool
			if done, news = a.complete(messages); done {
				return true
			}
		}
	}
}
