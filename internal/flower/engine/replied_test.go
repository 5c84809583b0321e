package engine

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/runtimeproxy"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// A reply that the gateway saw pass ends the pause of the Runtime proxy in the keeper's process: the way over the keeper's socket.
func TestTheRuntimeProxyHearsOfAReply(t *testing.T) {
	const fed, run = 3, 7
	root := t.TempDir()
	dir := FedDir(root, fed)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var polls atomic.Int32
	var ready atomic.Bool
	link := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		polls.Add(1)
		out := &flwrpb.PullAppMessagesResponse{}
		if ready.Load() {
			out.MessagesList = []*flwrpb.Message{{Metadata: &flwrpb.Metadata{MessageId: "reply", ReplyToMessageId: "asked"}}}
		}
		b, _ := proto.Marshal(out)
		_, _ = w.Write(b)
	}))
	defer link.Close()
	upstream, err := url.Parse(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := runtimeproxy.New(runtimeproxy.Options{Observer: observe.New(observe.Options{EngineRunID: run, Clock: time.Now}),
		Upstream: upstream, Transport: http.DefaultTransport, Clock: time.Now, Logger: slog.New(slog.DiscardHandler), PullMost: time.Minute})
	flower := &flowerLink{}
	flower.proxies.add(run, proxy)
	k := &server{link: flower}
	ln, err := listenSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	keeper := &http.Server{Handler: k.routes(), ReadHeaderTimeout: time.Minute}
	go func() { _ = keeper.Serve(ln) }()
	defer keeper.Close()
	m := NewManager(ManagerOptions{DataDir: root, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	defer m.Detach()

	front := httptest.NewServer(proxy)
	defer front.Close()
	question, err := proto.Marshal(&flwrpb.PullAppMessagesRequest{MessageIds: []string{"asked"}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []byte, 1)
	go func() {
		res, err := http.Post(front.URL+"/v1/runtime/pull-messages", "application/protobuf", bytes.NewReader(question))
		if err != nil {
			t.Error(err)
			done <- nil
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		done <- b
	}()
	deadline := time.After(10 * time.Second)
	for polls.Load() < 6 { // the next is due after 1.6 s, then 3.2 s
		select {
		case <-deadline:
			t.Fatal("the Runtime proxy does not poll")
		case <-time.After(2 * time.Millisecond):
		}
	}
	ready.Store(true)
	began := time.Now()
	m.Replied(fed, runtimeproxy.Reply{EngineRunID: run + 1, MessageID: "asked"})
	m.Replied(fed, runtimeproxy.Reply{EngineRunID: run, MessageID: "asked"})
	var out flwrpb.PullAppMessagesResponse
	if err := proto.Unmarshal(<-done, &out); err != nil || len(out.GetMessagesList()) != 1 {
		t.Errorf("%v, %v", err, out.GetMessagesList())
	}
	took := time.Since(began)
	t.Logf("from the gateway's report to the ServerApp's answer: %s", took)
	if took > time.Second {
		t.Errorf("the ServerApp waited for %s", took)
	}
}
