package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	"blossomtune/internal/domain"
)

// adopt tells a SuperLink, once for each keeper, of the keys that had their node ids from another engine: a SuperNode that is told of
// another id, or that its own is unknown, ends. Until that is done the gateway forwards nothing, see [upstreams].
func (n *nodeSync) adopt(ctx context.Context, fedID int64) error {
	if n.ready(fedID) {
		return nil
	}
	pid := n.app.manager.KeeperPID(fedID)
	c, err := n.app.manager.Control(fedID)
	if err != nil {
		return err
	}
	keys, err := n.app.Onboarding.NodeKeys(ctx, fedID)
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
				n.app.o.Log.Warn("the SuperLink refuses a SuperNode's key", "federation", fedID, "partition", k.Partition, "err", err)
				continue
			}
			if err != nil {
				return err
			}
		}
		if id == k.NodeID {
			continue
		}
		if err := n.app.Onboarding.ForgetNode(ctx, k); err != nil { // the rules learn the new one
			return err
		}
		n.app.gateway.Forget(k.Fingerprint)
	}
	n.mu.Lock()
	n.adopted[fedID] = pid
	n.mu.Unlock()
	return nil
}

func trimmed(pem []byte) string { return string(bytes.TrimSpace(pem)) }

// ready reports whether the federation's SuperLink knows all keys by their node ids.
func (n *nodeSync) ready(fedID int64) bool {
	pid := n.app.manager.KeeperPID(fedID)
	n.mu.Lock()
	defer n.mu.Unlock()
	return pid != 0 && n.adopted[fedID] == pid
}

// upstreams are the SuperLinks for the gateway: those that know all keys.
type upstreams struct{ app *Server }

// For implements [fleet.Upstreams].
func (u upstreams) For(fedID int64) (addr string, tlsConfig *tls.Config, ok bool) {
	if !u.app.nodes.ready(fedID) {
		return "", nil, false
	}
	return u.app.manager.For(fedID)
}

// Builtin implements [fleet.Upstreams].
func (u upstreams) Builtin(fedID int64) http.RoundTripper {
	if !u.app.nodes.ready(fedID) {
		return nil
	}
	return u.app.manager.Builtin(fedID)
}
