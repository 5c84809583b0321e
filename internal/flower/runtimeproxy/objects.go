package runtimeproxy

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

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

// pullObject passes objects through; small ones are remembered, because they may be records of metrics.
func (p *Proxy) pullObject(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDecoded))
	if err != nil {
		http.Error(w, `{"detail":"The request is too large."}`, http.StatusRequestEntityTooLarge)
		return
	}
	until := p.o.Clock().Add(objectHold)
	var answer []byte
	var res *http.Response
	for wait := pullFirst; ; wait = min(2*wait, pullMost) {
		if res, err = p.send(r, bytes.NewReader(body), int64(len(body))); err != nil {
			p.badGateway(w, r, err)
			return
		}
		if res.StatusCode != http.StatusOK || res.ContentLength < 0 || res.ContentLength > maxDecoded+headerSlack {
			passOn(w, res)
			return
		}
		answer, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			p.badGateway(w, r, err)
			return
		}
		if !toCome(answer) || !p.o.Clock().Before(until) || !pause(r.Context(), wait) {
			break
		}
	}
	p.memo.object(body, answer)
	relay(w, res, bytes.NewReader(answer))
}

// pushObject passes objects through; small ones are looked at, because they may say which round a message belongs to.
func (p *Proxy) pushObject(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDecoded))
	if err != nil {
		http.Error(w, `{"detail":"The request broke off."}`, http.StatusBadRequest)
		return
	}
	whole := r.ContentLength >= 0 && int64(len(body)) == r.ContentLength
	if whole && !p.store(r.Context(), p.given(body)) {
		unavailable(w)
		return
	}
	if p.forward(w, r, io.MultiReader(bytes.NewReader(body), r.Body), r.ContentLength) && p.memo.arrived(objectID(body)) {
		p.pushed()
	}
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

func (p *Proxy) pushed() {
	if p.o.OnPushed != nil {
		p.o.OnPushed()
	}
}
