package superlink

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire/flwrpb"
)

// A ServerApp that polls for replies sleeps three seconds after each poll that did not bring all of them (flwr 1.42,
// superlink/grid/http_grid.py). So a poll is held until all are here, or for a while; what has come is observed meanwhile.
const (
	replyHold    = 8 * time.Second
	observeEvery = 400 * time.Millisecond
)

// pull gives the replies that are whole. A reply is given again until it is confirmed.
func (a runtimeAPI) pull(w http.ResponseWriter, r *http.Request, id uint64) error {
	var in flwrpb.PullAppMessagesRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	p := poll{api: a, run: id, have: map[*letter]bool{}}
	once := map[string]bool{}
	p.asked = slices.DeleteFunc(in.GetMessageIds(), func(m string) bool {
		before := once[m]
		once[m] = true
		return before
	})
	if a.seen != nil && !a.seen.Settle(r.Context()) {
		return errUnavailable
	}
	limit := time.NewTimer(replyHold)
	defer limit.Stop()
	for again := a.seen != nil; ; {
		all, err := p.look(r.Context())
		if err != nil {
			return err
		}
		if !all || !again || len(p.have) >= len(p.asked) {
			break
		}
		if again, err = p.wait(r.Context(), limit.C); err != nil {
			return err
		}
	}
	answer(w, &p.out)
	return nil
}

// poll is one poll of a ServerApp for replies.
type poll struct {
	api   runtimeAPI
	run   uint64
	asked []string // messages, each once
	here  int      // of those, so many from the first on are known to be answered
	have  map[*letter]bool
	out   flwrpb.PullAppMessagesResponse
}

// look takes the replies that have come since the last look, once they are observed. It reports whether all were: the others come with
// another poll.
func (p *poll) look(ctx context.Context) (all bool, err error) {
	var replies []*letter
	err = p.api.change(func(now time.Time) (changes []Change, err error) {
		replies, changes, err = p.api.replies(p.run, p.asked, now)
		return changes, err
	})
	if err != nil {
		return false, err
	}
	var letters []*letter
	var fresh []observe.Reply
	for _, c := range replies {
		if p.have[c] {
			continue
		}
		message, tree, err := c.decode()
		if err != nil {
			return false, err
		}
		letters, fresh = append(letters, c), append(fresh, observe.Reply{Message: message, Tree: tree})
	}
	stored := len(fresh)
	if p.api.seen != nil {
		stored = p.api.seen.Collect(ctx, fresh, p.object)
	}
	all = stored == len(fresh)
	for i, f := range fresh[:stored] {
		p.have[letters[i]] = true
		p.out.MessagesList, p.out.MessageObjectTrees = append(p.out.MessagesList, f.Message), append(p.out.MessageObjectTrees, f.Tree)
	}
	if !all && len(p.have) == 0 {
		return false, errUnavailable
	}
	return all, nil
}

// object gives the Observer an object of a reply.
func (p *poll) object(ctx context.Context, id string) (observe.Object, error) {
	f, err := p.api.fetch(ctx, 0, p.run, id)
	switch {
	case err != nil:
		return observe.Object{}, err
	case !f.known: // the reply has been confirmed meanwhile, or its run has ended
		return observe.Object{}, fmt.Errorf("the object %.12s is not needed any more", id)
	case !f.here: // lost; the reply is given without what it measures
		return observe.Object{}, nil
	case f.file != nil:
		return observe.Object{Large: f.file, Size: f.size}, nil
	}
	return observe.Object{Content: f.content}, nil
}

// wait pauses until all replies are here, or for so long that those that have come should be observed. It returns false when the poll's
// time is over.
func (p *poll) wait(ctx context.Context, limit <-chan time.Time) (again bool, err error) {
	pause := time.NewTimer(observeEvery)
	defer pause.Stop()
	for {
		all, news, err := p.complete()
		if all || err != nil {
			return true, err
		}
		select {
		case <-news:
		case <-pause.C:
			return true, nil
		case <-limit:
			return false, nil
		case <-ctx.Done():
			return false, errUnavailable
		case <-p.api.broken:
			return false, errUnavailable
		}
	}
}

// complete reports whether all replies are here, and returns the channel that the next reply closes. It is an error when the run has
// ended: its token is void.
func (p *poll) complete() (bool, <-chan struct{}, error) {
	l := p.api.Link
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[p.run]
	if r == nil || r.Status == Finished {
		return false, nil, errToken
	}
	for p.here < len(p.asked) && (!l.known(p.run, p.asked[p.here]) || l.letters[p.asked[p.here]].answered()) {
		p.here++
	}
	return p.here == len(p.asked), r.news, nil
}
