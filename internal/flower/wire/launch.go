package wire

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// ServerAppTask is the type of the tasks that a launcher acquires from the SuperLink: a run's ServerApp.
const ServerAppTask = "flwr-serverapp"

// Task is a task that the launcher has acquired; the token is the ServerApp's for the Runtime API.
type Task struct {
	ID      uint64
	Type    string
	RunID   uint64
	FABHash string
	Token   string
}

// acquirePath and acquireMethod are both part of Flower's launcher protocol; the second is what is signed.
const (
	acquirePath   = "/v1/runtime/acquire-task"
	acquireMethod = "/flwr.proto.Runtime/AcquireTask"
)

// AcquireTask takes the oldest pending task of the types, signed with the shared secret (the raw bytes of the file that the
// SuperLink was given). It returns nil when there is none.
func (c *Client) AcquireTask(ctx context.Context, secret []byte, types ...string) (*Task, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&flwrpb.AcquireTaskRequest{SupportedTaskTypes: types})
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	var out flwrpb.AcquireTaskResponse
	if err := c.post(ctx, acquirePath, launcherHeaders(secret, acquireMethod, time.Now(), hex.EncodeToString(nonce), body), body,
		&out); err != nil {
		return nil, fmt.Errorf("acquiring a task: %w", err)
	}
	if out.GetTask() == nil || out.GetToken() == "" {
		return nil, nil
	}
	t := out.GetTask()
	return &Task{ID: t.GetTaskId(), Type: t.GetType(), RunID: t.GetRunId(), FABHash: t.GetFabHash(), Token: out.GetToken()}, nil
}

// launcherHeaders signs a launcher's call (flower-facts: key = HMAC-SHA256(secret, "superexec-auth-v1"), over method, time,
// nonce and the body's hash).
func launcherHeaders(secret []byte, method string, at time.Time, nonce string, body []byte) http.Header {
	sum := sha256.Sum256(body)
	ts, digest := strconv.FormatInt(at.Unix(), 10), hex.EncodeToString(sum[:])
	key := mac(secret, "superexec-auth-v1")
	signature := mac(key, fmt.Sprintf("method=%s\nts=%s\nnonce=%s\nbody_sha256=%s", method, ts, nonce, digest))
	h := http.Header{}
	h.Set("flwr-superexec-ts", ts)
	h.Set("flwr-superexec-nonce", nonce)
	h.Set("flwr-superexec-body-sha256", digest)
	h.Set("flwr-superexec-signature", hex.EncodeToString(signature))
	return h
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
