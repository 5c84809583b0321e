package wire

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"bytes"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// federationName is the one federation of an open-source SuperLink.
const federationName = "@none/default"

// Run is a run as the SuperLink lists it.
type Run struct {
	ID        uint64
	Key       string // the name that it was started with; Flower's own SuperLink keeps none
	FABHash   string
	Status    string // pending, starting, running, finished
	SubStatus string // completed, failed, stopped; of a finished one
	Details   string
	PendingAt time.Time // when it was created
	BytesSent uint64
	BytesRecv uint64
}

// Node is a registered SuperNode as the SuperLink lists it.
type Node struct {
	ID        uint64
	Status    string // registered, online, offline, unregistered
	PublicPEM []byte
	Name      string
}

// StartRun creates a run from a FAB's bytes and the run config that differs from its defaults; values are string, int64,
// float64 or bool. It is not idempotent: after an error with [domain.Unavailable] the run may exist.
func (c *Client) StartRun(ctx context.Context, fab []byte, overrides map[string]any) (uint64, error) {
	sum := sha256.Sum256(fab)
	config, err := Scalars(overrides)
	if err != nil {
		return 0, err
	}
	in := &flwrpb.StartRunRequest{Fab: &flwrpb.Fab{HashStr: hex.EncodeToString(sum[:]), Content: fab}, OverrideConfig: config,
		Federation: federationName}
	var out flwrpb.StartRunResponse
	if err := c.call(ctx, "/v1/control/start-run", in, &out); err != nil {
		return 0, fmt.Errorf("starting the run: %w", refusal(err))
	}
	if out.RunId == nil || *out.RunId == 0 {
		return 0, domain.Errorf(domain.Invalid, "The SuperLink did not take the run.").Fix("Look at the SuperLink's log for the reason.")
	}
	return *out.RunId, nil
}

// refusal gives a 4xx answer the code of an input error: repeating the call would not help.
func refusal(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Status/100 == 4 {
		return domain.Errorf(domain.Invalid, "%s", e.Message).Because(err)
	}
	return err
}

// Scalars encodes config values: string, int64, float64 or bool. Another type is a [domain.Invalid] error.
func Scalars(in map[string]any) (map[string]*flwrpb.Scalar, error) {
	out := make(map[string]*flwrpb.Scalar, len(in))
	for k, v := range in {
		s := &flwrpb.Scalar{}
		switch v := v.(type) {
		case string:
			s.Scalar = &flwrpb.Scalar_String_{String_: v}
		case int64:
			s.Scalar = &flwrpb.Scalar_Sint64{Sint64: v}
		case float64:
			s.Scalar = &flwrpb.Scalar_Double{Double: v}
		case bool:
			s.Scalar = &flwrpb.Scalar_Bool{Bool: v}
		default:
			return nil, domain.Errorf(domain.Invalid, "A run config value cannot be a %T.", v).At("config." + k)
		}
		out[k] = s
	}
	return out, nil
}

// StopRun ends a run. A run that has ended already is no error; one that the SuperLink does not know is [domain.NotFound].
func (c *Client) StopRun(ctx context.Context, id uint64) error {
	var out flwrpb.StopRunResponse
	err := c.call(ctx, "/v1/control/stop-run", &flwrpb.StopRunRequest{RunId: id}, &out)
	if err == nil {
		return nil
	}
	runs, listErr := c.ListRuns(ctx, id)
	if listErr != nil {
		return fmt.Errorf("stopping run %d: %w", id, err)
	}
	if len(runs) == 0 {
		return domain.Errorf(domain.NotFound, "The SuperLink does not know run %d.", id).Because(err)
	}
	if runs[0].Status == "finished" {
		return nil
	}
	return fmt.Errorf("stopping run %d: %w", id, err)
}

// ListRuns lists the run with an id, or with 0 all of them.
func (c *Client) ListRuns(ctx context.Context, id uint64) ([]Run, error) {
	in := &flwrpb.ListRunsRequest{}
	if id != 0 {
		in.RunId = &id
	}
	var out flwrpb.ListRunsResponse
	if err := c.call(ctx, "/v1/control/list-runs", in, &out); err != nil {
		if id != 0 && hasCode(err, codeRunNotFound) {
			return nil, nil
		}
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	runs := make([]Run, 0, len(out.GetRunDict()))
	for _, r := range out.GetRunDict() {
		st := r.GetStatus()
		pending, err := parseTime(r.GetPendingAt())
		if err != nil {
			return nil, fmt.Errorf("listing runs: %w", err)
		}
		runs = append(runs, Run{ID: r.GetRunId(), FABHash: r.GetFabHash(), Status: st.GetStatus(), SubStatus: st.GetSubStatus(),
			Details:   st.GetDetails(),
			PendingAt: pending, BytesSent: r.GetBytesSent(), BytesRecv: r.GetBytesRecv()})
	}
	return runs, nil
}

// parseTime reads Flower's ISO 8601 times, which Python writes with or without a fraction and with an offset.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time that Flower writes", s)
}

// RegisterNode makes a SuperNode's public key (PEM) known to the SuperLink and returns the node id it gives. A key that is
// registered already is a [domain.Conflict].
func (c *Client) RegisterNode(ctx context.Context, publicPEM []byte, name string) (uint64, error) {
	in := &flwrpb.RegisterNodeRequest{PublicKey: publicPEM}
	if name != "" {
		in.Name = &name
	}
	var out flwrpb.RegisterNodeResponse
	if err := c.call(ctx, "/v1/control/register-node", in, &out); err != nil {
		if hasCode(err, codeKeyInUse) {
			return 0, domain.Errorf(domain.Conflict, "The SuperLink knows this key already.").Because(err)
		}
		return 0, fmt.Errorf("registering a SuperNode: %w", refusal(err))
	}
	if out.GetNodeId() == 0 {
		return 0, domain.Errorf(domain.Internal, "The SuperLink gave no node id.")
	}
	return out.GetNodeId(), nil
}

// UnregisterNode ends a node for good: its key can never be registered again. A node that is gone is no error.
func (c *Client) UnregisterNode(ctx context.Context, id uint64) error {
	err := c.call(ctx, "/v1/control/unregister-node", &flwrpb.UnregisterNodeRequest{NodeId: id}, &flwrpb.UnregisterNodeResponse{})
	if hasCode(err, codeNodeNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unregistering node %d: %w", id, err)
	}
	return nil
}

// ListNodes lists the registered SuperNodes.
func (c *Client) ListNodes(ctx context.Context) ([]Node, error) {
	var out flwrpb.ListNodesResponse
	if err := c.call(ctx, "/v1/control/list-nodes", &flwrpb.ListNodesRequest{}, &out); err != nil {
		return nil, fmt.Errorf("listing SuperNodes: %w", err)
	}
	nodes := make([]Node, 0, len(out.GetNodesInfo()))
	for _, n := range out.GetNodesInfo() {
		nodes = append(nodes, Node{ID: n.GetNodeId(), Status: n.GetStatus(), PublicPEM: n.GetPublicKey(), Name: n.GetName()})
	}
	return nodes, nil
}

// maxFrame bounds one frame of a stream.
const maxFrame = 8 << 20

// StreamLogs calls each with the log output of a run as the SuperLink has it, until the run ends, ctx ends or each returns
// an error.
func (c *Client) StreamLogs(ctx context.Context, id uint64, after float64, each func(text string, latest float64) error) error {
	body, err := proto.Marshal(&flwrpb.StreamLogsRequest{RunId: id, AfterTimestamp: after})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/control/stream-logs", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/flower-protobuf-stream")
	res, err := c.http.Do(req)
	if err != nil {
		return domain.Errorf(domain.Unavailable, "The SuperLink does not answer.").Because(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return ReadError(res)
	}
	for {
		var out flwrpb.StreamLogsResponse
		if err := readFrame(res.Body, &out); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading the log stream: %w", err)
		}
		if err := each(out.GetLogOutput(), out.GetLatestTimestamp()); err != nil {
			return err
		}
	}
}

// readFrame reads a 4-byte big-endian length and a protobuf of that length.
func readFrame(r io.Reader, out proto.Message) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("a frame of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.EOF) { // which only between frames is the end of a stream
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("a broken frame: %w", err)
	}
	return proto.Unmarshal(body, out)
}
