// Package runtimeproxy stands between one run's ServerApp and the Runtime API of Flower's own SuperLink. It forwards /v1/runtime/* and
// nothing else, and lets an [observe.Observer] read on the way what the ServerApp asks of whom and what the replies measure.
//
// What is read is stored before the ServerApp gets the answer that lets it go on: a reply's metrics before the confirmation of
// its receipt, which flwr 1.42 asks for before it inflates the reply (superlink/grid/http_grid.py).
package runtimeproxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// Options are what a Proxy needs.
type Options struct {
	Observer  *observe.Observer
	Upstream  *url.URL          // https://host:port of the SuperLink
	Transport http.RoundTripper // trusts the SuperLink's certificate
	Clock     domain.Clock
	Logger    *slog.Logger
	// PullMost is the longest pause between two questions to the SuperLink that are asked in a ServerApp's place; 0 means 400 ms.
	PullMost time.Duration
}

const (
	maxMessages = 64 << 20 // a request or answer that lists messages
	headerSlack = observe.Head
)

// Proxy is the http.Handler of one run. It is safe for concurrent use.
type Proxy struct {
	o    Options
	seen *observe.Observer

	failing  failing
	pulling  sync.Mutex // held by the one poll for replies
	arrivals arrivals
}

// New returns the proxy of one run.
func New(o Options) *Proxy {
	if o.PullMost == 0 {
		o.PullMost = pullMost
	}
	return &Proxy{o: o, seen: o.Observer, arrivals: newArrivals()}
}

const prefix = "/v1/runtime/"

// withheld are the calls of the Runtime API that belong to launchers, not to ServerApps: through them one run could take
// another's task, or start more.
var withheld = map[string]bool{"acquire-task": true, "create-task": true, "start-automation": true}

// ServeHTTP forwards one call.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok || r.Method != http.MethodPost || r.URL.RawQuery != "" || !plain(name) || withheld[name] {
		http.Error(w, `{"detail":"Not Found"}`, http.StatusNotFound)
		return
	}
	p.seen.Sign(observe.SignRequest)
	switch name {
	case "push-messages":
		p.buffered(w, r, nil, p.asked)
	case "pull-messages":
		p.pullMessages(w, r)
	case "confirm-message-received":
		p.buffered(w, r, p.confirm, p.confirmed)
	case "pull-object":
		p.pullObject(w, r)
	case "push-object":
		p.pushObject(w, r)
	case "push-task-output":
		p.taskOutput(w, r)
	case "push-logs":
		logsTaken(w, r)
	default:
		if p.forward(w, r, r.Body, r.ContentLength) {
			p.signOf(name)
		}
	}
}

// plain reports whether a call's name is made of small letters and dashes, as all of Flower's are: nothing that the SuperLink
// could read as another path.
func plain(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") == ""
}

func (p *Proxy) signOf(name string) {
	switch name {
	case "send-task-heartbeat":
		p.seen.Sign(observe.SignHeartbeat)
	case "pull-task-input":
		p.seen.Sign(observe.SignInput)
	}
}

// A hook looks at a call and stores what it sees before the call goes on: before with the request's body, after with both and when the
// call was sent. It reports whether it could. What cannot be decoded passes.
type (
	before func(ctx context.Context, body []byte) bool
	after  func(ctx context.Context, body, answer []byte, sent time.Time) bool
)

// buffered forwards a call whose bodies are small enough to be read whole.
func (p *Proxy) buffered(w http.ResponseWriter, r *http.Request, first before, then after) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessages))
	if err != nil {
		http.Error(w, `{"detail":"The request is too large."}`, http.StatusRequestEntityTooLarge)
		return
	}
	if first != nil && !first(r.Context(), body) {
		unavailable(w)
		return
	}
	out, cancel := outliving(r)
	defer cancel()
	sent := p.o.Clock().UTC()
	res, err := p.send(out, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		p.badGateway(w, r, err)
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || then == nil {
		relay(w, res, res.Body)
		return
	}
	answer, err := readAnswer(res.Body)
	if err != nil {
		p.badGateway(w, r, err)
		return
	}
	if !then(r.Context(), body, answer, sent) {
		unavailable(w)
		return
	}
	relay(w, res, bytes.NewReader(answer))
}

// forward streams a call; it reports whether the SuperLink took it.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, body io.Reader, length int64) bool {
	res, err := p.send(r, body, length)
	if err != nil {
		p.badGateway(w, r, err)
		return false
	}
	taken := res.StatusCode == http.StatusOK
	passOn(w, res)
	return taken
}

func (p *Proxy) send(r *http.Request, body io.Reader, length int64) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, p.o.Upstream.JoinPath(r.URL.Path).String(), body)
	if err != nil {
		return nil, err
	}
	out.ContentLength = length
	out.GetBody = nil // a call is never sent twice by us: pull-messages is destructive
	for k, v := range r.Header {
		if !hopByHop[k] && k != "Accept-Encoding" { // what is compressed cannot be read on the way
			out.Header[k] = v
		}
	}
	res, err := p.o.Transport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	return p.failing.transient(res, r.URL.Path, p.o.Clock()), nil
}

var hopByHop = map[string]bool{"Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Proxy-Authorization": true, "Host": true, "Content-Length": true}

func relay(w http.ResponseWriter, res *http.Response, body io.Reader) {
	for k, v := range res.Header {
		if !hopByHop[k] || k == "Content-Length" {
			w.Header()[k] = v
		}
	}
	w.WriteHeader(res.StatusCode)
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // what broke off must not look whole to a ServerApp
	}
}

func passOn(w http.ResponseWriter, res *http.Response) {
	defer res.Body.Close()
	relay(w, res, res.Body)
}

// badGateway answers while the SuperLink is away; a ServerApp repeats the call.
func (p *Proxy) badGateway(w http.ResponseWriter, r *http.Request, err error) {
	p.warn(r, err)
	unavailable(w)
}

func (p *Proxy) warn(r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.o.Logger.Warn("the SuperLink did not answer a ServerApp", "path", r.URL.Path, "err", err)
	}
}

func unavailable(w http.ResponseWriter) { passOn(w, notAvailable()) } //nolint:bodyclose // passOn closes it

// notAvailable is an error answer of ours, in the form of Flower's.
func notAvailable() *http.Response {
	const status = http.StatusServiceUnavailable
	body := `{"detail":"` + http.StatusText(status) + `"}`
	h := http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// asked lets the messages of a push-messages call be read.
func (p *Proxy) asked(ctx context.Context, body, answer []byte, sent time.Time) bool {
	var in flwrpb.PushAppMessagesRequest
	var out flwrpb.PushAppMessagesResponse
	if proto.Unmarshal(body, &in) != nil || proto.Unmarshal(answer, &out) != nil {
		p.o.Logger.Warn("a push-messages call that cannot be decoded", "run", p.seen.RunID())
		return true
	}
	return p.seen.Asked(ctx, &in, &out, sent)
}

// confirm stores a reply whose objects the ServerApp has all pulled, before it is told that the SuperLink heard of it.
func (p *Proxy) confirm(ctx context.Context, body []byte) bool {
	var in flwrpb.ConfirmMessageReceivedRequest
	return proto.Unmarshal(body, &in) != nil || p.seen.Confirm(ctx, in.GetMessageObjectId())
}

func (p *Proxy) confirmed(_ context.Context, body, _ []byte, _ time.Time) bool {
	var in flwrpb.ConfirmMessageReceivedRequest
	if proto.Unmarshal(body, &in) == nil {
		p.seen.Confirmed(in.GetMessageObjectId())
	}
	return true
}
