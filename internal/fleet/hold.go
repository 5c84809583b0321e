package fleet

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A SuperNode sleeps three seconds after a poll that brought nothing (flwr 1.42, supernode/start_client_internal.py) and gives a
// request up after thirty. So the gateway holds an empty poll open and asks again when the federation's ServerApp has sent
// something: messages arrive at once, and idle SuperNodes cost the SuperLink a poll every half minute, not ten. See interim.go for longer
// ones.
const defaultHold = 26 * time.Second

// wakes tells the polls being held that there may be something for them.
type wakes struct {
	mu    sync.Mutex
	byFed map[int64]chan struct{}
}

// next returns a channel that is closed by the next wake of the federation.
func (w *wakes) next(fed int64) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch, ok := w.byFed[fed]
	if !ok {
		ch = make(chan struct{})
		w.byFed[fed] = ch
	}
	return ch
}

func (w *wakes) wake(fed int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch, ok := w.byFed[fed]; ok {
		close(ch)
		delete(w.byFed, fed)
	}
}

// Wake makes the polls of a federation's SuperNodes that are being held look again.
func (g *Gateway) Wake(federationID int64) { g.wakes.wake(federationID) }

// maxEmpty is more than an answer without messages has bytes.
const maxEmpty = 256

// An object can be asked for before the ServerApp has sent it; a SuperNode would then wait one, two, four seconds (flwr 1.42,
// supercore/inflatable). So such a question is held open too, and repeated by itself.
const (
	objectHold = 8 * time.Second
	objectLook = 100 * time.Millisecond
)

// hold asks upstream until there is something to answer with, or it has been long enough.
func (c *call) hold(r *http.Request) (*http.Response, error) {
	most, interim := c.mayHold()
	look, empty := time.Hour, isEmptyPoll
	if c.meth.held == heldObject {
		most, look, empty, interim = min(objectHold, c.g.o.Hold), objectLook, isMissingObject, false
	}
	if interim {
		defer c.keepOpen()()
	}
	limit := time.NewTimer(most)
	defer limit.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		woken := c.g.wakes.next(c.key.FederationID) // before the poll: what comes meanwhile is not missed
		if res := c.keptPoll(r); res != nil {
			return res, nil
		}
		res, err := c.send(r)
		if err != nil || !empty(res) {
			return res, err
		}
		ended := c.holding()
		select {
		case <-woken:
			ended()
			_ = res.Body.Close()
		case <-tick.C:
			ended()
			_ = res.Body.Close()
		case <-limit.C:
			ended()
			return res, nil
		case <-r.Context().Done():
			ended()
			_ = res.Body.Close()
			return nil, r.Context().Err()
		}
	}
}

// isEmptyPoll reports whether an answer to pull-messages has no message.
func isEmptyPoll(res *http.Response) bool {
	const messagesList = 2 // of PullMessagesResponse
	fields, ok := smallAnswer(res)
	return ok && !fields[messagesList]
}

// isMissingObject reports whether an answer to pull-object says that the object is still to come.
func isMissingObject(res *http.Response) bool {
	const found, available = 1, 2 // of PullObjectResponse; a false one is left out
	fields, ok := smallAnswer(res)
	return ok && fields[found] && !fields[available]
}

// smallAnswer tells which fields a short answer has. What was read of it is put back.
func smallAnswer(res *http.Response) (fields map[protowire.Number]bool, ok bool) {
	if res.StatusCode != http.StatusOK || res.ContentLength < 0 || res.ContentLength > maxEmpty {
		return nil, false
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxEmpty))
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(text))
	if err != nil {
		return nil, false
	}
	fields = map[protowire.Number]bool{}
	for len(text) > 0 {
		num, kind, n := protowire.ConsumeTag(text)
		if n < 0 {
			return nil, false
		}
		text = text[n:]
		if n = protowire.ConsumeFieldValue(num, kind, text); n < 0 {
			return nil, false
		}
		fields[num], text = true, text[n:]
	}
	return fields, true
}
