package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// tlsClient trusts the server's CA alone, as a SuperNode does.
func (s *server) tlsClient(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(s.data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

// fleet sends a Fleet call as a SuperNode would, signed now with a key unless header says otherwise, and returns the status.
func (s *server) fleet(t *testing.T, key *ecdsa.PrivateKey, path string, header http.Header) int {
	t.Helper()
	if header == nil {
		var err error
		if header, err = wire.SignHeaders(key, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return s.fleetBody(t, header, path, &flwrpb.PullMessagesRequest{Node: &flwrpb.Node{NodeId: 1}})
}

func (s *server) fleetBody(t *testing.T, header http.Header, path string, body proto.Message) int {
	t.Helper()
	b, err := proto.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.Replace(s.url, "http:", "https:", 1)+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/protobuf")
	res, err := s.tlsClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// That not one byte of these goes upstream is shown in internal/fleet, where the upstream can be watched.
func TestTheGatewayRefusesStrangers(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	good := s.approved("Good")
	good.upload("key")
	other := s.approved("Other")
	other.upload("key")
	var mine, theirs uint64
	await(t, 30*time.Second, "both keys are registered", func() (string, bool) {
		a, b := s.node(good.partition).NodeID, s.node(other.partition).NodeID
		mine, _ = strconv.ParseUint(a, 10, 64)
		theirs, _ = strconv.ParseUint(b, 10, 64)
		return a + " " + b, mine != 0 && theirs != 0
	})
	key := good.key()
	sign := func(k *ecdsa.PrivateKey, at time.Time) http.Header {
		h, err := wire.SignHeaders(k, at)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const heartbeat = "/v1/fleet/send-node-heartbeat"
	beat := func(node uint64) proto.Message {
		return &flwrpb.SendNodeHeartbeatRequest{Node: &flwrpb.Node{NodeId: node}, HeartbeatInterval: 30}
	}
	await(t, 10*time.Second, "the good key gets through", func() (string, bool) {
		status := s.fleetBody(t, sign(key, time.Now()), heartbeat, beat(mine))
		return strconv.Itoa(status), status == 200
	})
	forged := sign(key, time.Now())
	forged.Set(wire.HeaderSignature, base64.StdEncoding.EncodeToString([]byte("no signature")))
	swapped := sign(key, time.Now())
	swapped.Set(wire.HeaderPublicKey, sign(stranger, time.Now()).Get(wire.HeaderPublicKey))
	used := sign(key, time.Now())
	s.fleetBody(t, used, heartbeat, beat(mine))
	push := &flwrpb.PushMessagesRequest{Node: &flwrpb.Node{NodeId: mine}, MessagesList: []*flwrpb.Message{{Metadata: &flwrpb.Metadata{SrcNodeId: theirs}}}}
	for _, c := range []struct {
		what   string
		header http.Header
		path   string
		body   proto.Message
	}{
		{"an unknown key", sign(stranger, time.Now()), heartbeat, beat(mine)},
		{"no signature", http.Header{}, heartbeat, beat(mine)},
		{"a stale signature", sign(key, time.Now().Add(-10*time.Minute)), heartbeat, beat(mine)},
		{"a signature of the future", sign(key, time.Now().Add(time.Minute)), heartbeat, beat(mine)},
		{"a forged signature", forged, heartbeat, beat(mine)},
		{"another's public key", swapped, heartbeat, beat(mine)},
		{"another's node id in node", sign(key, time.Now()), heartbeat, beat(theirs)},
		{"another's node id in metadata.src_node_id", sign(key, time.Now()), "/v1/fleet/push-messages", push},
	} {
		if status := s.fleetBody(t, c.header, c.path, c.body); status != 401 {
			t.Errorf("%s gets %d, want 401", c.what, status)
		}
	}
	if status := s.fleetBody(t, used, heartbeat, beat(mine)); status != 503 { // a SuperNode signs anew; a 401 would end it
		t.Errorf("a repeated signature gets %d, want 503", status)
	}
	unapproved(t, s, stranger)
	hidden(t, s)
}

// unapproved: a key can only be enrolled by an approved request.
func unapproved(t *testing.T, s *server, key *ecdsa.PrivateKey) {
	c := newClient(s, "")
	var asked struct{ Ref string }
	c.must("POST", "/federations/fed/requests", map[string]string{"email": "waiting@example.org", "name": "Waiting"}, &asked)
	c.must("POST", "/requests/"+asked.Ref+"/verify", map[string]string{"code": s.mailedCode("waiting@example.org")}, nil)
	if err := c.try("POST", "/me/requests/"+asked.Ref+"/token", nil, nil); err == nil {
		t.Errorf("a pending request gets a join token")
	}
	if status := s.fleet(t, key, "/v1/fleet/pull-messages", nil); status != 401 {
		t.Errorf("its key gets %d, want 401", status)
	}
}

// hidden: of Flower nothing but the Fleet API is on the public port, also for flwr itself.
func hidden(t *testing.T, s *server) {
	c := s.tlsClient(t)
	for _, path := range []string{"/v1/control/list-runs", "/v1/control/start-run", "/v1/control/register-node", "/v1/control/stream-logs", "/v1/runtime/pull-task-input",
		"/v1/runtime/acquire-task", "/v1/runtime/push-messages", "/v1/fleet/no-such-call", "/v1/", "/health"} {
		for _, base := range []string{s.url, strings.Replace(s.url, "http:", "https:", 1)} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/protobuf")
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusNotFound {
				t.Errorf("POST %s gets %d, want 404", base+path, res.StatusCode)
			}
		}
	}
	home := filepath.Join(t.TempDir(), "flwr")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("[superlink]\ndefault = \"public\"\n\n[superlink.public]\naddress = \"localhost:%s\"\nroot-certificates = %q\n", portOf(s.addr), filepath.Join(s.data, "tls", "ca.pem"))
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), s.env.Bin("flwr"), "list", "public")
	cmd.Env = s.env.Environ(home)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "404") {
		t.Errorf("flwr list against the public port: %v, want a 404:\n%s", err, out)
	}
}
