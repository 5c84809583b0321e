package supernode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	smallBody   = 64 << 10
	treeBody    = 16 << 20         // a message without content, with its object tree
	logBody     = 8 << 20          // push-logs; the text is dropped
	objectHold  = 15 * time.Second // an app that asks for an object gives up after 30 s
	headerLimit = 10 * time.Second
	idleLimit   = time.Minute
)

// runtimeAPI serves Flower's Runtime API to the ClientApps of a node: POST on loopback, each task known by its token.
type runtimeAPI struct {
	addr   string
	server *http.Server

	mu    sync.Mutex
	last  uint64
	tasks map[string]*served
}

// served is a task with the node that it belongs to.
type served struct {
	*Task
	n *Node
}

func listen(port int) (*runtimeAPI, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return nil, fmt.Errorf("opening a port for ClientApps: %w", err)
	}
	a := &runtimeAPI{addr: ln.Addr().String(), tasks: map[string]*served{}}
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: headerLimit, IdleTimeout: idleLimit, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = a.server.Serve(ln) }()
	return a, nil
}

func (a *runtimeAPI) close() { _ = a.server.Close() }

// task makes a task for a message and lets its ClientApp in.
func (a *runtimeAPI) task(n *Node, m *message, r *run, ids []string) *Task {
	meta := m.proto.GetMetadata()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	t := &Task{RunID: meta.GetRunId(), MessageID: m.id(), MessageType: meta.GetMessageType(), Round: meta.GetGroupId(),
		FABHash: r.proto.GetFabHash(), FAB: r.fab, Address: a.addr, Token: newToken(),
		node: n.id.Load(), id: a.last, m: m, r: r, contexts: n.contexts, settled: make(chan struct{}), answered: make(chan struct{})}
	t.in = newSpool(n.parts(fmt.Sprintf("%d-in", t.id)), ids, n.o.MaxReply)
	t.before = n.contexts.expect(r.series(), t)
	a.tasks[t.Token] = &served{t, n}
	return t
}

func (a *runtimeAPI) remove(t *Task) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tasks, t.Token)
}

// calls are the operations that a ClientApp uses; the others of the Runtime API are a ServerApp's or an AgentApp's.
var calls = map[string]func(*served, http.ResponseWriter, *http.Request) error{
	"/v1/runtime/send-task-heartbeat":      (*served).heartbeat,
	"/v1/runtime/pull-task-input":          (*served).input,
	"/v1/runtime/pull-messages":            (*served).pullMessages,
	"/v1/runtime/pull-object":              (*served).pullObject,
	"/v1/runtime/confirm-message-received": (*served).confirm,
	"/v1/runtime/push-messages":            (*served).pushMessages,
	"/v1/runtime/push-object":              (*served).pushObject,
	"/v1/runtime/push-task-output":         (*served).pushOutput,
	"/v1/runtime/push-logs":                (*served).pushLogs,
}

// ServeHTTP implements http.Handler.
func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	t := a.tasks[r.Header.Get(wire.HeaderTaskToken)]
	a.mu.Unlock()
	call := calls[r.URL.Path]
	switch {
	case r.Method != http.MethodPost:
		refuse(w, http.StatusMethodNotAllowed, "The Runtime API takes POST alone.")
	case t == nil:
		refuse(w, http.StatusUnauthorized, "The task token is not valid, or the task has ended.")
	case call == nil:
		refuse(w, http.StatusForbidden, "A ClientApp cannot use this operation.")
	default:
		if err := call(t, w, r); err != nil {
			refuse(w, statusOf(err), err.Error())
		}
	}
}

func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errForeignReply):
		return http.StatusForbidden
	case errors.Is(err, errNotListed):
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

func refuse(w http.ResponseWriter, status int, why string) {
	text, _ := json.Marshal(map[string]any{"code": 0, "detail": why}) // strings always encode
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func read(w http.ResponseWriter, r *http.Request, most int64, into proto.Message) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return err
	}
	return proto.Unmarshal(body, into)
}

func answer(w http.ResponseWriter, m proto.Message) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	head(w, int64(len(body)))
	_, _ = w.Write(body)
	return nil
}

func head(w http.ResponseWriter, size int64) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
}

func (t *served) heartbeat(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, &flwrpb.SendTaskHeartbeatResponse{Success: true})
}

func (t *served) pushLogs(w http.ResponseWriter, r *http.Request) error {
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, logBody)) // what the process prints is kept where it was started
	return answer(w, &flwrpb.PushLogsResponse{})
}

// input gives the app its Context, run and code.
func (t *served) input(w http.ResponseWriter, _ *http.Request) error {
	content, size, err := t.contexts.open(t.r, t.node)
	if err != nil {
		return fmt.Errorf("reading the Context: %w", err)
	}
	defer content.Close()
	rest, err := proto.Marshal(&flwrpb.PullTaskInputResponse{Run: t.r.proto, Fab: &flwrpb.Fab{HashStr: t.FABHash, Content: t.FAB},
		TaskId: t.id})
	if err != nil {
		return err
	}
	first := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), uint64(size))
	head(w, int64(len(first)+len(rest))+size)
	_, _ = w.Write(first)
	_, _ = io.Copy(w, content)
	_, _ = w.Write(rest)
	return nil
}

func (t *served) pullMessages(w http.ResponseWriter, _ *http.Request) error {
	t.mu.Lock()
	if t.began.IsZero() {
		t.began = time.Now()
	}
	t.mu.Unlock()
	return answer(w, &flwrpb.PullAppMessagesResponse{
		MessagesList: []*flwrpb.Message{t.m.proto}, MessageObjectTrees: []*flwrpb.ObjectTree{t.m.tree}})
}

// pullObject gives the app an object of its message, which may still be on its way here.
func (t *served) pullObject(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.PullObjectRequest
	if err := read(w, r, smallBody, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), objectHold)
	defer cancel()
	content, size, err := t.in.get(ctx, in.GetObjectId())
	switch {
	case errors.Is(err, errNotListed):
		return answer(w, &flwrpb.PullObjectResponse{})
	case ctx.Err() != nil:
		return answer(w, &flwrpb.PullObjectResponse{ObjectFound: true})
	case err != nil:
		return err
	}
	defer content.Close()
	first, err := proto.Marshal(&flwrpb.PullObjectResponse{ObjectFound: true, ObjectAvailable: true})
	if err != nil {
		return err
	}
	first = protowire.AppendVarint(protowire.AppendTag(first, pullContent, protowire.BytesType), uint64(size))
	head(w, int64(len(first))+size)
	_, _ = w.Write(first)
	_, _ = io.Copy(w, content)
	return nil
}

// confirm frees the message's objects: the app has them all.
func (t *served) confirm(w http.ResponseWriter, _ *http.Request) error {
	t.in.drop()
	return answer(w, &flwrpb.ConfirmMessageReceivedResponse{})
}

func (t *served) pushMessages(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.PushAppMessagesRequest
	if err := read(w, r, treeBody, &in); err != nil {
		return err
	}
	if len(in.GetMessagesList()) != 1 || len(in.GetMessageObjectTrees()) != 1 {
		return errors.New("a ClientApp sends one message with one object tree")
	}
	dir := t.n.parts(fmt.Sprintf("%d-out", t.id))
	ids, err := t.announce(in.GetMessagesList()[0], in.GetMessageObjectTrees()[0], dir, t.n.o.MaxReply)
	if err != nil {
		return err
	}
	return answer(w, &flwrpb.PushAppMessagesResponse{
		MessageIds: []string{in.GetMessagesList()[0].GetMetadata().GetMessageId()}, ObjectsToPush: ids, SessionId: filepath.Base(dir)})
}

// pushObject takes an object of the reply. Its name comes before its content, as protobuf writes fields in order.
func (t *served) pushObject(w http.ResponseWriter, r *http.Request) error {
	out := t.outgoing()
	if out == nil {
		return errors.New("an object came before its message")
	}
	id, stored := "", false
	fields := fieldReader{r: bufio.NewReaderSize(r.Body, copyBuffer)}
	for {
		f, err := fields.next()
		switch {
		case errors.Is(err, io.EOF):
			if !stored && id != "" {
				err = out.put(id, 0, bytes.NewReader(nil))
				stored = err == nil
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			return answer(w, &flwrpb.PushObjectResponse{Stored: stored})
		case err != nil:
			return err
		case f.num == pushID:
			if id, err = fields.text(f, smallBody); err != nil {
				return err
			}
		case f.num == pushContent && f.kind == protowire.BytesType:
			if err := out.put(id, f.size, fields.r); err != nil {
				return err
			}
			stored = true
		default:
			if f.size > smallBody {
				return errTooLarge
			}
			if err := fields.skip(f); err != nil {
				return err
			}
		}
	}
}

// pushOutput takes the app's own word on its end, and its Context for the next message. It is taken once.
func (t *served) pushOutput(w http.ResponseWriter, r *http.Request) error {
	if !t.ended.CompareAndSwap(false, true) {
		return errors.New("the ClientApp has reported its end already")
	}
	defer t.settle.Do(func() { close(t.settled) })
	fields := fieldReader{r: bufio.NewReaderSize(r.Body, copyBuffer)}
	for {
		f, err := fields.next()
		if errors.Is(err, io.EOF) {
			return answer(w, &flwrpb.PushTaskOutputResponse{})
		}
		if err != nil {
			return err
		}
		if err := t.outputField(fields, f); err != nil {
			return err
		}
	}
}

// Field numbers of PushTaskOutputRequest.
const (
	outputContext, outputStatus = 1, 2
)

func (t *served) outputField(fields fieldReader, f wireField) error {
	switch {
	case f.num == outputContext && f.kind == protowire.BytesType:
		err := t.contexts.keep(t.r, t.node, f.size, fields.r)
		if err != nil {
			t.n.o.Log("The Context of run %d is not kept: %v", t.RunID, err)
		}
		return err
	case f.num == outputStatus:
		status, err := fields.text(f, smallBody)
		t.mu.Lock()
		t.output = status
		t.mu.Unlock()
		return err
	case f.size > treeBody:
		return errTooLarge
	}
	return fields.skip(f)
}
