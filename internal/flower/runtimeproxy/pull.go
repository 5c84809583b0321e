package runtimeproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// A ServerApp that polls for replies sleeps three seconds after each poll that did not bring all of them (flwr 1.42,
// superlink/grid/http_grid.py). So the proxy polls in its place and answers when all are here, or after a while.
const (
	pullHold  = 8 * time.Second
	pullLeast = 25 * time.Millisecond // between two questions for one object, however many replies arrive
	pullFirst = 50 * time.Millisecond
	pullMost  = 400 * time.Millisecond
)

// pullMessages answers a poll for replies. The SuperLink gives each reply once, so one that was taken from it is kept until the
// ServerApp confirms it, and given again to a ServerApp that asks again. One poll goes on at a time: a ServerApp that lost its
// connection repeats its poll while the first one may still be taking replies.
func (p *Proxy) pullMessages(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessages))
	if err != nil {
		http.Error(w, `{"detail":"The request is too large."}`, http.StatusRequestEntityTooLarge)
		return
	}
	if !p.seen.Settle(r.Context()) {
		unavailable(w)
		return
	}
	p.pulling.Lock()
	defer p.pulling.Unlock()
	in := &flwrpb.PullAppMessagesRequest{}
	if proto.Unmarshal(body, in) != nil {
		p.buffered(w, withBody(r, body), nil, nil) // it is for the SuperLink to say what is wrong
		return
	}
	got := p.seen.Again(in.GetMessageIds())
	if !p.seen.Replies(r.Context(), got) {
		unavailable(w)
		return
	}
	if res := p.collect(r, in, got); res != nil { //nolint:bodyclose // passOn closes it
		passOn(w, res)
		return
	}
	answer(w, got)
}

func withBody(r *http.Request, body []byte) *http.Request {
	out := r.WithContext(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return out
}

// collect polls the SuperLink until all that was asked for is in got, or for a while. It returns another answer than got when
// there is nothing to give.
func (p *Proxy) collect(r *http.Request, in *flwrpb.PullAppMessagesRequest, got *flwrpb.PullAppMessagesResponse) *http.Response {
	asked := in.GetMessageIds()
	until := p.o.Clock().Add(pullHold)
	for wait := pullFirst; ; wait = min(2*wait, p.o.PullMost) {
		news := p.arrivals.next() // before the poll: what arrives meanwhile is not missed
		// A message whose reply is here is not asked for again: the SuperLink would give an error in its place.
		if in.MessageIds = missing(asked, got); len(in.MessageIds) == 0 && len(asked) > 0 {
			return nil
		}
		res, part := p.poll(r, in)
		if part == nil {
			if len(got.GetMessagesList()) > 0 {
				return nil // the next poll tells what is wrong
			}
			return res
		}
		p.arrivals.forget(part.GetMessagesList())
		got.MessagesList = append(got.MessagesList, part.GetMessagesList()...)
		got.MessageObjectTrees = append(got.MessageObjectTrees, part.GetMessageObjectTrees()...)
		if !p.seen.Replies(r.Context(), part) {
			return notAvailable()
		}
		if len(asked) == 0 {
			return nil
		}
		if open := missing(asked, got); len(open) > 0 && (!p.o.Clock().Before(until) || !p.arrivals.await(r.Context(), open, news, wait)) {
			return nil
		}
	}
}

func missing(asked []string, got *flwrpb.PullAppMessagesResponse) (out []string) {
	here := map[string]bool{}
	for _, m := range got.GetMessagesList() {
		here[m.GetMetadata().GetReplyToMessageId()] = true
	}
	for _, id := range asked {
		if !here[id] {
			out = append(out, id)
		}
	}
	return out
}

// poll asks the SuperLink once and returns its replies, or the answer that it gave in their place.
func (p *Proxy) poll(r *http.Request, in *flwrpb.PullAppMessagesRequest) (*http.Response, *flwrpb.PullAppMessagesResponse) {
	body, err := proto.Marshal(in)
	if err != nil {
		return notAvailable(), nil
	}
	out, cancel := outliving(r)
	defer cancel()
	res, err := p.send(out, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		p.warn(r, err)
		return notAvailable(), nil
	}
	defer res.Body.Close()
	answer, err := readAnswer(res.Body)
	if err != nil {
		p.warn(r, err)
		return notAvailable(), nil
	}
	got := &flwrpb.PullAppMessagesResponse{}
	if res.StatusCode != http.StatusOK || proto.Unmarshal(answer, got) != nil {
		res.Body = io.NopCloser(bytes.NewReader(answer))
		return res, nil
	}
	return res, got
}

func answer(w http.ResponseWriter, got proto.Message) {
	out, err := proto.Marshal(got)
	if err != nil {
		unavailable(w)
		return
	}
	w.Header().Set("Content-Type", "application/protobuf")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // what does not arrive is asked for again
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// outliving returns a request that goes on when its ServerApp goes away: what the SuperLink did is to be seen, and a poll that
// is given up loses its replies.
func outliving(r *http.Request) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	return r.WithContext(ctx), cancel
}

func readAnswer(body io.Reader) ([]byte, error) {
	answer, err := io.ReadAll(io.LimitReader(body, maxMessages+1))
	if err == nil && len(answer) > maxMessages {
		err = errors.New("the answer is too large")
	}
	return answer, err
}
