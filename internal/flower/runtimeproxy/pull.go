package runtimeproxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// A ServerApp that polls for replies sleeps three seconds after each poll that did not bring all of them (flwr 1.41,
// superlink/grid/http_grid.py). So the proxy polls in its place and answers when all are here, or after a while.
const (
	pullHold  = 8 * time.Second
	pullFirst = 50 * time.Millisecond
	pullMost  = 400 * time.Millisecond
)

// pullMessages answers a poll for replies. What was taken from the SuperLink, which gives each reply once, is kept until it is
// answered with, also when the ServerApp has gone away meanwhile and asks again.
func (p *Proxy) pullMessages(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessages))
	if err != nil {
		http.Error(w, `{"detail":"The request is too large."}`, http.StatusRequestEntityTooLarge)
		return
	}
	if !p.store(r.Context(), domain.Observation{Exchanges: p.memo.settle()}) {
		unavailable(w)
		return
	}
	p.pulling.Lock()
	defer p.pulling.Unlock()
	var in flwrpb.PullAppMessagesRequest
	wanted := 0
	if proto.Unmarshal(body, &in) == nil {
		wanted = len(in.GetMessageIds())
	}
	got := p.taken
	p.taken = nil
	if got == nil {
		got = &flwrpb.PullAppMessagesResponse{}
	}
	until := p.o.Clock().Add(pullHold)
	for wait := pullFirst; ; wait = min(2*wait, pullMost) {
		res, answer, err := p.pull(r, body)
		switch {
		case err == nil && res.StatusCode == http.StatusOK:
			if (proto.UnmarshalOptions{Merge: true}).Unmarshal(answer, got) != nil {
				p.o.Logger.Warn("a pull-messages answer that cannot be decoded", "run", p.o.EngineRunID)
				relay(w, res, bytes.NewReader(answer))
				return
			}
			if !p.store(r.Context(), p.replies(nil, answer)) {
				p.taken = got
				unavailable(w)
				return
			}
		case len(got.GetMessagesList()) > 0: // the next poll tells what is wrong
		case err != nil:
			p.badGateway(w, r, err)
			return
		default:
			relay(w, res, bytes.NewReader(answer))
			return
		}
		if len(got.GetMessagesList()) >= wanted || err != nil || res.StatusCode != http.StatusOK || !p.o.Clock().Before(until) {
			break
		}
		if !pause(r.Context(), wait) {
			p.taken = got
			return
		}
	}
	p.answer(w, got)
}

// pull polls the SuperLink once. A poll that was sent is never given up: its replies would be lost.
func (p *Proxy) pull(r *http.Request, body []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	res, err := p.send(r.WithContext(ctx), bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxMessages))
	return res, answer, err
}

func (p *Proxy) answer(w http.ResponseWriter, got *flwrpb.PullAppMessagesResponse) {
	out, err := proto.Marshal(got)
	if err != nil {
		p.taken = got
		unavailable(w)
		return
	}
	w.Header().Set("Content-Type", "application/protobuf")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	if _, err := w.Write(out); err != nil {
		p.taken = got
	}
}

// objectHold is how long an object is waited for that a SuperNode is still sending; the ServerApp would look again after one, two,
// four seconds (flwr 1.41, supercore/inflatable).
const objectHold = 8 * time.Second

// toCome reports whether an answer to pull-object says that the object is still to come.
func toCome(answer []byte) bool {
	if len(answer) > 64 {
		return false
	}
	var out flwrpb.PullObjectResponse
	return proto.Unmarshal(answer, &out) == nil && out.GetObjectFound() && !out.GetObjectAvailable()
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
