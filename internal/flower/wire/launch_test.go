package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestFlwrVerifiesLauncher lets flwr's own route check what the launcher signs.
func TestFlwrVerifiesLauncher(t *testing.T) {
	secret := []byte("raw bytes \x00\xff of the file\n")
	body, err := proto.Marshal(&flwrpb.AcquireTaskRequest{SupportedTaskTypes: []string{ServerAppTask}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed := func(secret []byte, method string, at time.Time, nonce string) call {
		return call{Path: acquirePath, Body: body, Headers: launcherHeaders(secret, method, at, nonce, body)}
	}
	without := func(name string) call {
		c := signed(secret, acquireMethod, now, "05")
		c.Headers.Del(name)
		return c
	}
	other := signed(secret, acquireMethod, now, "06")
	other.Body = append(other.Body[:len(other.Body):len(other.Body)], other.Body...)

	// What AcquireTask really sends comes first.
	link := &superlink{answers: map[string][]byte{"POST " + acquirePath: {}}}
	if _, err := client(t, link.ServeHTTP).AcquireTask(t.Context(), secret, ServerAppTask); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		call
		good bool
	}{
		{"AcquireTask", link.calls[0], true},
		{"fresh", signed(secret, acquireMethod, now, "01"), true},
		{"the same once more", signed(secret, acquireMethod, now, "01"), false},
		{"old", signed(secret, acquireMethod, now.Add(-10*time.Minute), "02"), false},
		{"ahead", signed(secret, acquireMethod, now.Add(time.Minute), "03"), false},
		{"another secret", signed([]byte("raw bytes"), acquireMethod, now, "04"), false},
		{"another method", signed(secret, "/flwr.proto.Runtime/CreateTask", now, "04"), false},
		{"another body", other, false},
		{"no time", without("flwr-superexec-ts"), false},
		{"no nonce", without("flwr-superexec-nonce"), false},
		{"no hash", without("flwr-superexec-body-sha256"), false},
		{"no signature", without("flwr-superexec-signature"), false},
	}
	question := struct {
		Secret []byte `json:"secret"`
		Calls  []call `json:"calls"`
	}{Secret: secret}
	for _, c := range cases {
		question.Calls = append(question.Calls, c.call)
	}
	var theirs []string
	ask(t, "verify_launcher", question, &theirs)
	for i, c := range cases {
		if (theirs[i] == "") != c.good {
			t.Errorf("%s: flwr says %q", c.name, theirs[i])
		}
	}
}

// TestEachTaskCallHasItsNonce holds that no two calls carry the same one: the SuperLink takes each once.
func TestEachTaskCallHasItsNonce(t *testing.T) {
	link := &superlink{answers: map[string][]byte{"POST " + acquirePath: {}}}
	c := client(t, link.ServeHTTP)
	seen := map[string]bool{}
	for range 20 {
		if _, err := c.AcquireTask(t.Context(), []byte("s"), ServerAppTask); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range link.calls {
		seen[call.Headers.Get("flwr-superexec-nonce")] = true
	}
	if len(seen) != 20 || seen[""] {
		t.Errorf("%d nonces in 20 calls", len(seen))
	}
}
