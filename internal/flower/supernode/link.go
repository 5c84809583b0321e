package supernode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/flower/wire"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	contentType = "application/protobuf"
	maxAnswer   = 64 << 20 // of calls without object contents; a FAB has at most 10 MB
	quickCall   = 30 * time.Second
	stalled     = 90 * time.Second // an object transfer without progress
	firstPause  = 100 * time.Millisecond
	longestWait = 10 * time.Second
)

// runNotRunning is Flower's code for a call for a run that has ended (FLEET_RUN_STATUS_NOT_ALLOWED of flwr 1.42).
const runNotRunning = 2007

// A SuperLink that fails in the same way again and again does so for this request: the gateway answers 503 while waiting may help.
const most500 = 3

// Errors of calls that repeating does not help.
var (
	errRunOver = errors.New("the run has ended")
	errRefused = errors.New("the SuperLink does not accept this SuperNode")
)

// link calls the Fleet API of one SuperLink.
type link struct {
	base      string // https://host:port
	transport http.RoundTripper
	version   string // of Flower, as told to the SuperLink
}

func (l *link) request(ctx context.Context, path string, body io.Reader, size int64) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+path, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength, req.GetBody = size, nil
	h := req.Header
	h.Set("Content-Type", contentType)
	h.Set("Accept", contentType)
	h.Set(wire.HeaderPackageName, "flwr")
	h.Set(wire.HeaderPackageVersion, l.version)
	h.Set(wire.HeaderComponentName, "SuperNode")
	return req, nil
}

// once makes one call.
func (l *link) once(ctx context.Context, path string, in, out proto.Message) error {
	body, err := proto.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	req, err := l.request(ctx, path, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	res, err := l.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(answer) > maxAnswer {
		return fmt.Errorf("the answer to %s is larger than %d MB", path, maxAnswer>>20)
	}
	if err := proto.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decoding the answer to %s: %w", path, err)
	}
	count(ctx, int64(len(body)))
	return nil
}

// paused is an answer that asks to wait before the next try.
type paused struct {
	error
	after time.Duration
}

func (p paused) Unwrap() error { return p.error }

func refusal(res *http.Response) error {
	err := wire.ReadError(res)
	switch res.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", errRefused, err)
	case http.StatusForbidden:
		var e *wire.Error
		if errors.As(err, &e) && e.Code == runNotRunning { // another 403 is of something in between
			return fmt.Errorf("%w: %w", errRunOver, err)
		}
	}
	if sec, e := strconv.Atoi(res.Header.Get("Retry-After")); e == nil && sec > 0 {
		return paused{err, min(time.Duration(sec)*time.Second, longestWait)}
	}
	return err
}

// transient reports whether repeating a call may help: broken connections, and answers of a SuperLink or a proxy in between that is
// starting, busy or away. A SuperLink whose database is busy says 500.
func transient(err error) bool {
	var local *fs.PathError // such as a full disk
	var e *wire.Error
	if !errors.As(err, &e) {
		return !errors.As(err, &local) && !errors.Is(err, errWrongHash) && !errors.Is(err, errTooLarge) && !errors.Is(err, errNotListed)
	}
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
}

// persist repeats a call until it succeeds, ctx ends, or repeating does not help.
func persist(ctx context.Context, call func() error) error {
	refused, failed := 0, 0
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		err := call()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errRefused):
			if refused++; refused > 1 { // one alone may have been signed before the clock was set right
				return err
			}
		case wire.IsStatus(err, http.StatusInternalServerError):
			if failed++; failed > most500 {
				return err
			}
		case errors.Is(err, errRunOver), !transient(err):
			return err
		}
		wait := pause
		var p paused
		if errors.As(err, &p) {
			wait = max(wait, p.after)
		}
		if !sleep(ctx, wait/2+rand.N(wait/2+1)) {
			return context.Cause(ctx)
		}
	}
}

// sleep waits, and reports false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// call makes a call of limited length, as often as is needed.
func (l *link) call(ctx context.Context, path string, in, out proto.Message) error {
	return persist(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, quickCall)
		defer cancel()
		return l.once(ctx, path, in, out)
	})
}

// Field numbers of the messages whose contents are not held in memory.
const (
	pushNode, pushRun, pushID, pushContent, pushSession = 1, 2, 3, 4, 5 // PushObjectRequest
	pullFound, pullAvailable, pullContent               = 1, 2, 3       // PullObjectResponse
)

// errNotYet: the ServerApp has not sent the object yet.
var errNotYet = errors.New("the object is not available yet")

// pullObject stores an object's content in the spool.
func (l *link) pullObject(ctx context.Context, in proto.Message, id string, to *spool) error {
	ctx, progress, cancel := watched(ctx)
	defer cancel()
	body, err := proto.Marshal(in)
	if err != nil {
		return err
	}
	req, err := l.request(ctx, "/v1/fleet/pull-object", bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	res, err := l.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	count(ctx, int64(len(body)))
	found, available, stored := false, false, false
	fields := fieldReader{r: bufio.NewReaderSize(progress.reader(res.Body), copyBuffer)}
	for {
		f, err := fields.next()
		switch {
		case errors.Is(err, io.EOF):
			return pulled(found, available, stored, id, to)
		case err != nil:
			return err
		case f.num == pullContent && f.kind == protowire.BytesType:
			if err := to.put(id, f.size, fields.r); err != nil {
				return err
			}
			stored = true
		default:
			found, available = found || f.num == pullFound && f.value == 1, available || f.num == pullAvailable && f.value == 1
			if err := fields.skip(f); err != nil {
				return err
			}
		}
	}
}

func pulled(found, available, stored bool, id string, to *spool) error {
	switch {
	case !found:
		return &wire.Error{Status: http.StatusNotFound, Message: "the SuperLink has no object " + id}
	case !available:
		return errNotYet
	case !stored:
		return to.put(id, 0, bytes.NewReader(nil))
	}
	return nil
}

// pushObject sends an object from the spool and reports whether the SuperLink has stored it.
func (l *link) pushObject(ctx context.Context, node, run uint64, id, session string, from *spool) (stored bool, err error) {
	ctx, progress, cancel := watched(ctx)
	defer cancel()
	content, size, err := from.get(ctx, id)
	if err != nil {
		return false, err
	}
	defer content.Close()
	head, tail := pushFrame(node, run, id, session, size)
	body := io.MultiReader(bytes.NewReader(head), content, bytes.NewReader(tail))
	req, err := l.request(ctx, "/v1/fleet/push-object", progress.reader(body), int64(len(head)+len(tail))+size)
	if err != nil {
		return false, err
	}
	res, err := l.transport.RoundTrip(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return false, refusal(res)
	}
	count(ctx, req.ContentLength)
	fields := fieldReader{r: bufio.NewReader(io.LimitReader(res.Body, 1<<10))}
	for {
		f, err := fields.next()
		if errors.Is(err, io.EOF) {
			return stored, nil
		}
		if err != nil {
			return false, err
		}
		stored = stored || f.num == 1 && f.value == 1
		if err := fields.skip(f); err != nil {
			return false, err
		}
	}
}

// pushFrame returns what stands before and after the content in a PushObjectRequest.
func pushFrame(node, run uint64, id, session string, size int64) (head, tail []byte) {
	one := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), node) // Node.node_id
	head = protowire.AppendBytes(protowire.AppendTag(nil, pushNode, protowire.BytesType), one)
	head = protowire.AppendVarint(protowire.AppendTag(head, pushRun, protowire.VarintType), run)
	head = protowire.AppendString(protowire.AppendTag(head, pushID, protowire.BytesType), id)
	head = protowire.AppendVarint(protowire.AppendTag(head, pushContent, protowire.BytesType), uint64(size))
	tail = protowire.AppendString(protowire.AppendTag(nil, pushSession, protowire.BytesType), session)
	return head, tail
}

// progress cancels a transfer that stands still.
type progress struct{ timer *time.Timer }

func watched(parent context.Context) (context.Context, *progress, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	p := &progress{}
	p.timer = time.AfterFunc(stalled, cancel)
	return ctx, p, func() { p.timer.Stop(); cancel() }
}

func (p *progress) reader(r io.Reader) io.Reader { return moving{r, p} }

type moving struct {
	r io.Reader
	p *progress
}

// Read implements io.Reader.
func (m moving) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	if n > 0 {
		m.p.timer.Reset(stalled)
	}
	return n, err
}
