package runtimeproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// breakage is how a ServerApp's connection breaks.
type breakage int

const (
	inRequest breakage = iota // before the proxy has the whole request
	atWork                    // while the SuperLink works on it
	inAnswer                  // after the proxy has answered, before the ServerApp has read it
)

var errBroken = errors.New("the test broke the connection")

// breaker breaks one connection of a ServerApp.
type breaker struct {
	how     breakage
	armed   bool
	reached chan struct{} // closed when the call is at the SuperLink
	broken  chan struct{} // closed when the connection is broken
	done    chan struct{} // closed when the proxy has answered
}

// conn is a connection that breaks itself.
type conn struct {
	net.Conn
	b *breaker
}

func (c *conn) Write(p []byte) (int, error) {
	if c.b.how != inRequest {
		return c.Conn.Write(p)
	}
	_, _ = c.Conn.Write(p[:len(p)/2])
	return 0, c.smash()
}

func (c *conn) Read([]byte) (int, error) {
	if c.b.how == atWork {
		select {
		case <-c.b.reached:
		case <-c.b.done: // it was answered without the SuperLink
		}
	}
	if c.b.how == inAnswer {
		<-c.b.done
	}
	return 0, c.smash()
}

func (c *conn) smash() error {
	select {
	case <-c.b.broken:
	default:
		close(c.b.broken)
		c.Conn.Close()
	}
	return errBroken
}

// disturbed runs the steps over a proxy that stores in db, with the connection of one call broken at its first try; -1 breaks
// none. It returns how many calls the ServerApp made.
func disturbed(t *testing.T, db *store.DB, run uint64, steps []step, call int, how breakage) int {
	t.Helper()
	b := &breaker{how: how, reached: make(chan struct{}), broken: make(chan struct{}), done: make(chan struct{})}
	link := newSuperlink(t)
	link.script(steps)
	for _, r := range steps[0].Replies[1:] {
		link.late[r.message(t).GetMetadata().GetReplyToMessageId()] = 1
	}
	hit := make(chan struct{}, 1)
	link.reached = func(string) {
		select {
		case <-hit:
			close(b.reached)
			if how == atWork {
				<-b.broken
			}
		default:
		}
	}
	o := options(db, run, serve(t, link))
	proxy := New(o)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		broken := r.Header.Get("Broken") != ""
		r.Header.Del("Broken")
		proxy.ServeHTTP(w, r)
		if broken {
			close(b.done)
		}
	}))
	base, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	app := newServerApp(t, base)
	app.http.Transport = b.transport()
	app.before = func(n, try int) {
		if b.armed = n == call && try == 0; b.armed && how != inRequest {
			hit <- struct{}{}
		}
	}
	if err := app.run(steps); err != nil {
		t.Errorf("call %d broken (%d): %v", call, how, err)
	}
	front.Close() // waits for calls that go on without their ServerApp
	for _, m := range app.got {
		if m.GetError().GetReason() == "Message Unavailable" {
			t.Errorf("call %d broken (%d): the reply to %s got lost", call, how, m.GetMetadata().GetReplyToMessageId())
		}
	}
	return app.calls
}

type armed struct {
	b    *breaker
	next http.RoundTripper
}

func (a armed) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.b.armed {
		r.Header.Set("Broken", "1")
	}
	return a.next.RoundTrip(r)
}

func (b *breaker) transport() http.RoundTripper {
	return armed{b, &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil || !b.armed {
			return c, err
		}
		return &conn{c, b}, nil
	}}}
}

// TestKilledAtEveryRequest is the fourth invariant: with the ServerApp's connection broken at each of its calls in turn, in
// three ways, what is stored is what the ServerApp itself got, each row once.
func TestKilledAtEveryRequest(t *testing.T) {
	for _, api := range []string{"new", "old"} {
		steps := runOf(t, api)[:3]
		want := written(t, steps, []int{1, 1, 2})
		db := storetest.SQLite(t)
		calls := disturbed(t, db, 1, steps, -1, atWork)
		if d := cmp.Diff(want, stored(t, db, 1)); d != "" {
			t.Fatalf("%s, undisturbed (-written +stored):\n%s", api, d)
		}
		if len(want.Metrics) < 10 || calls < 40 {
			t.Fatalf("%s: %d metrics in %d calls are too few to show anything", api, len(want.Metrics), calls)
		}
		t.Logf("%s: %d calls, each broken in 3 ways: %d metrics and %d exchanges", api, calls, len(want.Metrics), len(want.Exchanges))
		for shard := range shards {
			t.Run(fmt.Sprintf("%s/%d", api, shard), func(t *testing.T) {
				t.Parallel()
				killEach(t, steps, want, calls, shard)
			})
		}
	}
}

// shards is how many databases share the work; most of the time goes into waiting for their disk.
const shards = 4

func killEach(t *testing.T, steps []step, want rows, calls, shard int) {
	db := storetest.SQLite(t)
	run := uint64(0)
	for call := shard; call < calls; call += shards {
		for _, how := range []breakage{inRequest, atWork, inAnswer} {
			run++
			disturbed(t, db, run, steps, call, how)
			if d := cmp.Diff(want, stored(t, db, run)); d != "" {
				t.Errorf("call %d of %d broken (%d) (-written +stored):\n%s", call, calls, how, d)
			}
		}
	}
}
