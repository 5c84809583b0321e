package engine

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
)

// Control is what the server asks of a federation's SuperLink, whichever it is.
type Control interface {
	// StartRun creates a run. It may have been created when the error is [domain.Unavailable]. The builtin SuperLink creates one run for a
	// key, however often it is asked; Flower's creates another one each time.
	StartRun(ctx context.Context, o RunOrder) (uint64, error)
	// StopRun ends a run. One that has ended is no error; one that is unknown is [domain.NotFound].
	StopRun(ctx context.Context, id uint64) error
	// ListRuns lists all runs.
	ListRuns(ctx context.Context) ([]wire.Run, error)
	// RegisterNode makes a key known. want is the id that it had with another engine; 0: none. It gets another one where the SuperLink
	// cannot take that one. A key that is registered already may be a [domain.Conflict].
	RegisterNode(ctx context.Context, publicPEM []byte, name string, want uint64) (uint64, error)
	// UnregisterNode ends a node for good; one that is gone is no error.
	UnregisterNode(ctx context.Context, id uint64) error
	// ListNodes lists the registered nodes.
	ListNodes(ctx context.Context) ([]wire.Node, error)
}

// RunOrder is a run to start.
type RunOrder struct {
	Key     string // the run's own name
	FAB     []byte
	App     string // publisher/name
	Version string
	Config  map[string]any // in place of the app's own defaults: string, int64, float64 or bool
}

// builtinControl is the SuperLink in the keeper, reached by the keeper's socket.
type builtinControl struct{ l *link }

type numbered struct {
	ID uint64 `json:"id"`
}

type nodeOrder struct {
	PublicPEM []byte `json:"public_pem"`
	Name      string `json:"name"`
	ID        uint64 `json:"id,omitempty"`
}

// maxRunOrder is more than a FAB of 10 MB in base64.
const maxRunOrder = 32 << 20

// linkTime bounds an order.
const linkTime = 30 * time.Second

func (b builtinControl) do(ctx context.Context, method, path string, in, out any) error {
	return order(ctx, b.l, method, path, in, out)
}

// order gives an order to the SuperLink of a keeper and reads the answer.
func order(ctx context.Context, l *link, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, linkTime)
	defer cancel()
	res, err := l.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var said answered
	if err := json.NewDecoder(io.LimitReader(res.Body, maxRunOrder)).Decode(&said); err != nil {
		return domain.Errorf(domain.Unavailable, "The engine's keeper does not answer as it should.").Because(err)
	}
	if said.Code != "" {
		return domain.Errorf(domain.Code(said.Code), "%s", said.Message)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(said.Value, out)
}

// answered is the answer to an order: a value, or an error with its code.
type answered struct {
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
}

func reply(w http.ResponseWriter, value any, err error) {
	out := answered{}
	if err != nil {
		if out.Code, out.Message = string(domain.CodeOf(err)), err.Error(); out.Code == string(domain.Internal) {
			out.Code = string(domain.Unavailable) // a store that is busy, most likely
		}
	} else if out.Value, err = json.Marshal(value); err != nil {
		out = answered{Code: string(domain.Internal), Message: err.Error()}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func decodeTyped(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRunOrder)).Decode(into); err != nil {
		return domain.Errorf(domain.Invalid, "The order cannot be read.").Because(err)
	}
	return nil
}

func (b builtinControl) StartRun(ctx context.Context, o RunOrder) (uint64, error) {
	config, err := superlink.EncodeConfig(o.Config)
	if err != nil {
		return 0, err
	}
	var n numbered
	err = b.do(ctx, http.MethodPost, "/link/runs", superlink.Order{Key: o.Key, FAB: o.FAB, App: o.App, Version: o.Version, Config: config}, &n)
	return n.ID, err
}

func (b builtinControl) StopRun(ctx context.Context, id uint64) error {
	return b.do(ctx, http.MethodPost, "/link/runs/stop", numbered{id}, nil)
}

func (b builtinControl) ListRuns(ctx context.Context) ([]wire.Run, error) {
	var rows []superlink.RunRow
	if err := b.do(ctx, http.MethodGet, "/link/runs", nil, &rows); err != nil {
		return nil, err
	}
	out := make([]wire.Run, len(rows))
	for i, r := range rows {
		out[i] = wire.Run{ID: r.ID, Key: r.Key, FABHash: r.FABHash, Status: r.Status, SubStatus: r.SubStatus, Details: r.Details,
			PendingAt: r.PendingAt,
			BytesSent: r.BytesSent, BytesRecv: r.BytesReceived}
	}
	return out, nil
}

func (b builtinControl) RegisterNode(ctx context.Context, publicPEM []byte, name string, want uint64) (uint64, error) {
	var n numbered
	err := b.do(ctx, http.MethodPost, "/link/nodes", nodeOrder{publicPEM, name, want}, &n)
	return n.ID, err
}

func (b builtinControl) UnregisterNode(ctx context.Context, id uint64) error {
	return b.do(ctx, http.MethodPost, "/link/nodes/remove", numbered{id}, nil)
}

func (b builtinControl) ListNodes(ctx context.Context) ([]wire.Node, error) {
	var rows []superlink.NodeRow
	if err := b.do(ctx, http.MethodGet, "/link/nodes", nil, &rows); err != nil {
		return nil, err
	}
	var out []wire.Node
	for _, r := range rows {
		if r.Status != superlink.Unregistered {
			out = append(out, wire.Node{ID: r.ID, Status: r.Status, PublicPEM: r.PublicPEM, Name: r.Name})
		}
	}
	return out, nil
}
