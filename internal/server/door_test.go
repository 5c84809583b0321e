package server_test

import (
	"blossomtune/internal/server"
	"blossomtune/internal/servertest"
	"crypto/ecdsa"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/portmux"
	"blossomtune/internal/store"
)

// While strangers hold all connections that they may have, and open more, signed-in people and approved SuperNodes keep theirs and get
// new ones, and a newcomer gets in.
func TestSlowStrangersShutNoOneOut(t *testing.T) {
	a := servertest.MustAt(t, t.TempDir(), "")
	a.Limit(portmux.Limits{Conns: 60, Strangers: 30, StrangersPer: 10}, portmux.Rates{Idle: time.Second, Grace: 2 * time.Second})
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.Open(inner, h)
	t.Cleanup(func() { servertest.Stop(t, a) })
	addr := inner.Addr().String()
	admin, err := a.Accounts.HostAdmin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := a.Accounts.NewSession(t.Context(), admin.ID, "127.0.0.1", "test")
	if err != nil {
		t.Fatal(err)
	}
	key := enrolled(t, a)
	person, node, newcomer := visitorFrom("127.0.0.1"), visitorFrom("127.0.0.1"), visitorFrom("127.0.0.77")
	look := func(when string) {
		t.Helper()
		if got := person.ask(t, addr, "/admin/people", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: session}) }); got != http.StatusOK {
			t.Errorf("%s, a signed-in person gets %d", when, got)
		}
		if got := node.ask(t, addr, "/v1/fleet/pull-messages", func(r *http.Request) {
			sig, err := wire.SignHeaders(key, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			r.Header, r.Method = sig, http.MethodPost
			r.Header.Set("Content-Type", "application/protobuf")
		}); got != http.StatusServiceUnavailable { // its SuperLink is not up, which only an approved key is told
			t.Errorf("%s, an approved SuperNode gets %d", when, got)
		}
	}
	look("before")
	for name, say := range map[string]string{"idle": "", "half a handshake": "\x16\x03\x01", "slow bodies": "POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ne"} {
		for i := range 150 {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.0.0.%d", 1+i%5))}, Timeout: 5 * time.Second}
			c, err := d.DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, say)
		}
		look("during a flood of " + name)
		if person.dialed != 1 {
			t.Errorf("a flood of %s closed the connection of a signed-in person", name)
		}
		newcomer.http.CloseIdleConnections()
		if got := newcomer.ask(t, addr, "/signin", nil); got != http.StatusOK {
			t.Errorf("during a flood of %s, a newcomer gets %d", name, got)
		}
	}
	person, node = visitorFrom("127.0.0.1"), visitorFrom("127.0.0.1")
	look("with new connections")
}

// visitor is a client that counts its connections.
type visitor struct {
	http   *http.Client
	dialed int
}

func visitorFrom(ip string) *visitor {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &visitor{http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: d.DialContext}}}
}

func (v *visitor) ask(t *testing.T, addr, path string, change func(*http.Request)) int {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			v.dialed++
		}
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	res, err := v.http.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// enrolled makes an approved SuperNode and returns its key.
func enrolled(t *testing.T, a *server.Server) *ecdsa.PrivateKey {
	t.Helper()
	fed, err := a.Onboarding.CreateFederation(t.Context(), domain.System, domain.Federation{Slug: "fed", Name: "Fed", TotalPartitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	p := domain.Person{Email: "one@example.org", Name: "One"}
	r := domain.Request{Ref: strings.ToUpper("one"), FederationID: fed.ID, State: domain.Pending, Partition: -1, Name: p.Name, Email: p.Email, CreatedAt: time.Now()}
	err = a.DB.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertPerson(t.Context(), &p); err != nil {
			return err
		}
		r.PersonID = p.ID
		return tx.InsertRequest(t.Context(), &r)
	})
	if err == nil {
		_, err = a.Onboarding.Approve(t.Context(), domain.System, []int64{r.ID}, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return servertest.KeyOf(t, a, fed.ID, r.ID)
}

// A refused SuperNode that sends its body slowly does not keep its connection.
func TestARefusedSlowBodyIsCut(t *testing.T) {
	a := servertest.MustAt(t, t.TempDir(), "")
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.Open(inner, h)
	t.Cleanup(func() { servertest.Stop(t, a) })
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST /v1/fleet/pull-messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/protobuf\r\nContent-Length: 1000\r\n\r\na")
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	text, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 401 ") {
		t.Errorf("%q, %v", text, err)
	}
}
