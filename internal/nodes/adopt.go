package nodes

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
	"blossomtune/internal/flower/engine"
)

// adopt tells a SuperLink, once for each keeper, of the keys that had their node ids from another engine: a SuperNode that is told of
// another id, or that its own is unknown, ends. Until that is done the gateway forwards nothing, see [Adopted].
func (s *Sync) adopt(ctx context.Context, fedID int64) error {
	if s.o.Adopted.ready(fedID) {
		return nil
	}
	pid := s.o.Manager.KeeperPID(fedID)
	c, err := s.o.Manager.Control(fedID)
	if err != nil {
		return err
	}
	keys, err := s.o.Onboarding.NodeKeys(ctx, fedID)
	if err != nil {
		return err
	}
	nodes, err := c.ListNodes(ctx)
	if err != nil {
		return err
	}
	known := map[string]uint64{}
	for _, node := range nodes {
		known[trimmed(node.PublicPEM)] = node.ID
	}
	for _, k := range keys {
		if k.NodeID == 0 || !k.RevokedAt.IsZero() {
			continue // these are told of by the rules
		}
		id := known[trimmed(k.PublicPEM)]
		if id != k.NodeID { // it is not registered, or was when the server was killed
			id, err = c.RegisterNode(ctx, k.PublicPEM, fmt.Sprintf("partition-%d", k.Partition), k.NodeID)
			if domain.CodeOf(err) == domain.Conflict {
				s.o.Log.Warn("the SuperLink refuses a SuperNode's key", "federation", fedID, "partition", k.Partition, "err", err)
				continue
			}
			if err != nil {
				return err
			}
		}
		if id == k.NodeID {
			continue
		}
		if err := s.o.Onboarding.ForgetNode(ctx, k); err != nil { // the rules learn the new one
			return err
		}
		s.o.Gateway.Forget(k.Fingerprint)
	}
	s.o.Adopted.add(fedID, pid)
	return nil
}

func trimmed(pem []byte) string { return string(bytes.TrimSpace(pem)) }

var _ fleet.Upstreams = (*Adopted)(nil)

// Adopted are the SuperLinks for the gateway: those that know all keys by their node ids. It is safe for concurrent use.
type Adopted struct {
	manager *engine.Manager

	mu   sync.Mutex
	pids map[int64]int // the keepers whose SuperLink knows all keys, by federation
}

// NewAdopted returns the SuperLinks of a manager, none of which knows its keys yet.
func NewAdopted(m *engine.Manager) *Adopted { return &Adopted{manager: m, pids: map[int64]int{}} }

func (a *Adopted) add(fedID int64, pid int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pids[fedID] = pid
}

// ready reports whether the federation's SuperLink knows all keys by their node ids.
func (a *Adopted) ready(fedID int64) bool {
	pid := a.manager.KeeperPID(fedID)
	a.mu.Lock()
	defer a.mu.Unlock()
	return pid != 0 && a.pids[fedID] == pid
}

// For implements [fleet.Upstreams].
func (a *Adopted) For(fedID int64) (addr string, tlsConfig *tls.Config, ok bool) {
	if !a.ready(fedID) {
		return "", nil, false
	}
	return a.manager.For(fedID)
}

// Builtin implements [fleet.Upstreams].
func (a *Adopted) Builtin(fedID int64) http.RoundTripper {
	if !a.ready(fedID) {
		return nil
	}
	return a.manager.Builtin(fedID)
}
