package fleet

import (
	"context"
	"crypto/elliptic"
	"encoding/pem"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/testflwr"

	"golang.org/x/crypto/ssh"
)

// holding makes a fixture whose polls are held for 200 ms, or 800 ms with informational answers.
func holding(t *testing.T) *fixture {
	return newFixture(t, func(o *Options) {
		o.Hold, o.LongHold, o.Interim = 200*time.Millisecond, 800*time.Millisecond, 50*time.Millisecond
	})
}

// poll makes a poll over a line and returns how long it took and how many informational answers came.
func (l *line) poll(ctx context.Context, header ...string) (took time.Duration, infos int64, status int) {
	var n atomic.Int64
	r := l.f.signed(l.f.key, l.f.g.o.Clock(), pull, bodyFor(pull, ownID, nil, 0))
	for _, name := range header {
		r.Header.Set(name, "1.1 between")
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		if code == http.StatusProcessing {
			n.Add(1)
		}
		return nil
	}})
	r.URL.Scheme, r.URL.Host, _ = strings.Cut(l.base, "://")
	began := time.Now()
	res, err := l.tr.RoundTrip(r.WithContext(ctx))
	if err == nil {
		res.Body.Close()
		status = res.StatusCode
	}
	return time.Since(began), n.Load(), status
}

// A poll is held open for longer where informational answers reach the client, and nowhere else.
func TestLongPollsAreKeptOpen(t *testing.T) {
	f := holding(t)
	var calls atomic.Int64
	f.answers(&calls, nil)
	own, declared := door(t, f.g, false), door(t, f.g, true)
	for name, c := range map[string]struct {
		base   string
		http2  bool
		header string
		long   bool
	}{
		"HTTP/1.1":             {"https://" + own, false, "Flwr-None", true},
		"HTTP/2":               {"https://" + own, true, "Flwr-None", true},
		"plain HTTP":           {"http://" + own, false, "Flwr-None", false},
		"a declared proxy":     {"https://" + declared, false, "Flwr-None", false},
		"a proxy that says so": {"https://" + own, false, "Via", false},
		"another one":          {"https://" + own, false, "X-Forwarded-For", false},
	} {
		took, infos, status := f.line(c.base, c.http2).poll(t.Context(), c.header)
		if status != http.StatusOK || (infos > 0) != c.long || c.long && took < 700*time.Millisecond {
			t.Errorf("%s: %d after %v and %d informational answers", name, status, took, infos)
		}
	}
}

// A SuperNode that leaves in the middle of a long poll, as where a proxy drops informational answers, gets short ones for an hour.
func TestWhoLeavesLongPollsGetsShortOnes(t *testing.T) {
	f := holding(t)
	var calls atomic.Int64
	f.answers(&calls, nil)
	base := "https://" + door(t, f.g, false)
	ctx, leave := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer leave()
	if _, infos, status := f.line(base, false).poll(ctx); status != 0 || infos == 0 {
		t.Fatalf("%d after %d informational answers", status, infos)
	}
	n := f.g.find(fingerprint(t, f.key))
	until(t, "short polls", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return !n.shortUntil.IsZero() })
	if _, infos, status := f.line(base, false).poll(t.Context()); status != http.StatusOK || infos != 0 {
		t.Errorf("the next poll: %d after %d informational answers", status, infos)
	}
	f.after(shortFor + time.Second)
	if _, infos, status := f.line(base, false).poll(t.Context()); status != http.StatusOK || infos == 0 {
		t.Errorf("an hour later: %d after %d informational answers", status, infos)
	}
}

// flwrPolls is flwr's own client, with a patience of 2 s instead of 30 s.
const flwrPolls = `
import sys, time
import httpx
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.proto.fleet_pb2 import PullMessagesRequest
from flwr.proto.node_pb2 import Node
from flwr.supernode import fleet_http_connection as f
key = load_ssh_private_key(open(sys.argv[2], "rb").read(), None)
client = f.FleetHttpClient.from_server_address(sys.argv[1], False, sys.argv[3], interceptors=[f.NodeAuthHttpInterceptor(key, key.public_key())])
with client as c:
    c._client.timeout = httpx.Timeout(2.0)
    began = time.monotonic()
    got = c.PullMessages(PullMessagesRequest(node=Node(node_id=int(sys.argv[4]))))
    print(len(got.messages_list), time.monotonic() - began > 3.5)
`

// flwr's client takes informational answers: a poll lasts longer than its patience.
func TestFlwrTakesInformationalAnswers(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.LongHold, o.Interim = 4*time.Second, 300*time.Millisecond })
	var calls atomic.Int64
	f.answers(&calls, nil)
	key := newKeyOf(t, elliptic.P256())
	f.keys.set(enrolled(t, key, otherID))
	dir := t.TempDir()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, ca := doorWithCA(t, f.g, false)
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), testflwr.Venv(t).Bin("python"), "-c", flwrPolls, addr, filepath.Join(dir, "key"),
		filepath.Join(dir, "ca.pem"),
		strconv.FormatUint(otherID, 10)).CombinedOutput()
	if err != nil || string(out) != "0 True\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
