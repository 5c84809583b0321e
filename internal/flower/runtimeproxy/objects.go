package runtimeproxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// objectHold is how long an object is waited for that a SuperNode is still sending; the ServerApp would look again after one, two,
// four seconds (flwr 1.42, supercore/inflatable).
const objectHold = 8 * time.Second

// toCome reports whether an answer to pull-object says that the object is still to come.
func toCome(answer []byte) bool {
	if len(answer) > 64 {
		return false
	}
	var out flwrpb.PullObjectResponse
	return proto.Unmarshal(answer, &out) == nil && out.GetObjectFound() && !out.GetObjectAvailable()
}

// pullObject passes objects through; small ones are remembered, because they may be records of metrics.
func (p *Proxy) pullObject(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, observe.MaxDecoded))
	if err != nil {
		http.Error(w, `{"detail":"The request is too large."}`, http.StatusRequestEntityTooLarge)
		return
	}
	until := p.o.Clock().Add(objectHold)
	var answer []byte
	var res *http.Response
	for wait := pullFirst; ; wait = min(2*wait, p.o.PullMost) {
		news := p.arrivals.next()
		if res, err = p.send(r, bytes.NewReader(body), int64(len(body))); err != nil {
			p.badGateway(w, r, err)
			return
		}
		if res.StatusCode != http.StatusOK || res.ContentLength < 0 || res.ContentLength > observe.MaxDecoded+headerSlack {
			p.passLarge(w, body, res)
			return
		}
		answer, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			p.badGateway(w, r, err)
			return
		}
		if !toCome(answer) || !p.o.Clock().Before(until) || !pause(r.Context(), pullLeast) || !p.arrivals.await(r.Context(), nil, news, wait) {
			break
		}
	}
	p.pulled(body, answer)
	relay(w, res, bytes.NewReader(answer))
}

// pulled remembers an object that the ServerApp gets, if it says something of what a reply measures or how its arrays are made.
func (p *Proxy) pulled(request, answer []byte) {
	var in flwrpb.PullObjectRequest
	var out flwrpb.PullObjectResponse
	if proto.Unmarshal(request, &in) != nil || proto.Unmarshal(answer, &out) != nil || !out.GetObjectAvailable() {
		return
	}
	p.seen.Pulled(in.GetObjectId(), out.GetObjectContent())
}

// passLarge passes an object on that is too large to be held; it is read on the way.
func (p *Proxy) passLarge(w http.ResponseWriter, request []byte, res *http.Response) {
	defer res.Body.Close()
	var in flwrpb.PullObjectRequest
	body := bufio.NewReaderSize(res.Body, observe.Head)
	head, _ := body.Peek(observe.Head) // an error comes again when it is read
	if proto.Unmarshal(request, &in) != nil {
		relay(w, res, body)
		return
	}
	relay(w, res, p.seen.PulledLarge(in.GetObjectId(), head, body, res.ContentLength))
}

// given lets an object that a ServerApp sends along be read.
func (p *Proxy) given(ctx context.Context, body []byte) bool {
	var in flwrpb.PushObjectRequest
	return proto.Unmarshal(body, &in) != nil || p.seen.Given(ctx, in.GetObjectId(), in.GetObjectContent())
}

// pushObject passes objects through; small ones are looked at, because they may say which round a message belongs to.
func (p *Proxy) pushObject(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, observe.MaxDecoded))
	if err != nil {
		http.Error(w, `{"detail":"The request broke off."}`, http.StatusBadRequest)
		return
	}
	whole := r.ContentLength >= 0 && int64(len(body)) == r.ContentLength
	if whole && !p.given(r.Context(), body) {
		unavailable(w)
		return
	}
	res, err := p.send(r, io.MultiReader(bytes.NewReader(body), r.Body), r.ContentLength)
	if err != nil {
		p.badGateway(w, r, err)
		return
	}
	if res.StatusCode == http.StatusOK && p.notStored(res) && p.has(r, body) {
		_ = res.Body.Close()
		answer(w, &flwrpb.StopRunResponse{Success: true}) // of the same form as flwr's PushObjectResponse
	} else {
		passOn(w, res)
	}
	if res.StatusCode == http.StatusOK {
		p.seen.Taken(objectID(body))
	}
}

// A SuperLink that dies between storing an object and saying so leaves a ServerApp that sends the object again, is told that
// nobody waits for it (flwr 1.42, supercore/corestate/sql_corestate.py), and raises. So when the answer is "not stored", the
// proxy looks whether the object is there: if so, that is the answer.

// notStored reports whether an answer to push-object says so; what was read of it is put back.
func (p *Proxy) notStored(res *http.Response) bool {
	if res.ContentLength < 0 || res.ContentLength > 64 {
		return false
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(text))
	var out flwrpb.StopRunResponse
	return err == nil && proto.Unmarshal(text, &out) == nil && !out.GetSuccess()
}

// has asks the SuperLink for the object of a push-object request, whose beginning names node, run and object like the question.
func (p *Proxy) has(r *http.Request, pushed []byte) bool {
	var in flwrpb.PullObjectRequest
	at := 0
	for at < len(pushed) {
		num, kind, n := protowire.ConsumeTag(pushed[at:])
		if n < 0 || num > 3 {
			break
		}
		v := protowire.ConsumeFieldValue(num, kind, pushed[at+n:])
		if v < 0 {
			return false
		}
		at += n + v
	}
	if proto.Unmarshal(pushed[:at], &in) != nil {
		return false
	}
	question, err := proto.Marshal(&in)
	if err != nil || in.GetObjectId() == "" {
		return false
	}
	ask := r.Clone(r.Context())
	ask.URL.Path = prefix + "pull-object"
	res, err := p.send(ask, bytes.NewReader(question), int64(len(question)))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	// Found and available come first, and are true: four bytes. The content after them is not needed.
	head := make([]byte, 4)
	_, err = io.ReadFull(res.Body, head)
	return err == nil && res.StatusCode == http.StatusOK && bytes.Equal(head, []byte{1 << 3, 1, 2 << 3, 1})
}

// objectID reads the object's id from the beginning of a push-object request, which has it before the content.
func objectID(body []byte) string {
	for len(body) > 0 {
		num, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return ""
		}
		body = body[n:]
		if num == 3 && kind == protowire.BytesType {
			id, n := protowire.ConsumeString(body)
			if n < 0 {
				return ""
			}
			return id
		}
		if n = protowire.ConsumeFieldValue(num, kind, body); n < 0 {
			return ""
		}
		body = body[n:]
	}
	return ""
}
