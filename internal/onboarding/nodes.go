package onboarding

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"blossomtune/internal/domain"
)

// Registrar is a federation's SuperLink, as far as keys matter to it. Without one every call is a [domain.Unavailable] error.
type Registrar interface {
	// RegisterNode makes a key known and returns its node id; a key that is known already is a [domain.Conflict].
	RegisterNode(ctx context.Context, fedID int64, publicPEM []byte, name string) (uint64, error)
	// UnregisterNode ends a node for ever; an unknown one is no error.
	UnregisterNode(ctx context.Context, fedID int64, nodeID uint64) error
	// RegisteredNodes returns the ids of the known keys by their PEM.
	RegisteredNodes(ctx context.Context, fedID int64) (map[string]uint64, error)
}

// SyncNodes brings the SuperLink's list of nodes in line with the enrolled keys. The fingerprints of keys that changed are
// returned: whoever remembers those forgets them.
func (s *Service) SyncNodes(ctx context.Context, reg Registrar, fedID int64) ([]string, error) {
	s.syncing.Lock() // one at a time: two would register the same key twice
	defer s.syncing.Unlock()
	keys, err := s.NodeKeys(ctx, fedID)
	if err != nil {
		return nil, err
	}
	var changed []string
	var errs []error
	for _, k := range keys {
		did := false
		err = nil
		switch {
		case k.RevokedAt.IsZero() && k.NodeID == 0:
			did, err = true, s.register(ctx, reg, k)
		case !k.RevokedAt.IsZero() && k.NodeID != 0 && !s.gone[k.ID]:
			// The id stays with the key: it is what past runs know the node by. Unregistering again after a restart is no error.
			if did, err = true, reg.UnregisterNode(ctx, k.FederationID, k.NodeID); err == nil {
				s.gone[k.ID] = true
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("key of partition %d: %w", k.Partition, err))
		} else if did {
			changed = append(changed, k.Fingerprint)
		}
		if domain.CodeOf(err) == domain.Unavailable {
			break
		}
	}
	return changed, errors.Join(errs...)
}

func (s *Service) register(ctx context.Context, reg Registrar, k domain.NodeKey) error {
	id, err := reg.RegisterNode(ctx, k.FederationID, k.PublicPEM, fmt.Sprintf("partition-%d", k.Partition))
	if domain.CodeOf(err) == domain.Conflict { // registered before, but its answer was lost
		var known map[string]uint64
		if known, err = reg.RegisteredNodes(ctx, k.FederationID); err == nil {
			id = findKey(known, k.PublicPEM)
		}
		if err == nil && id == 0 {
			err = domain.Errorf(domain.Internal, "The SuperLink knows the key, but does not list it.")
		}
	}
	if err != nil {
		return err
	}
	return s.putNodeID(ctx, k, id)
}

func findKey(known map[string]uint64, pem []byte) uint64 {
	for text, id := range known {
		if bytes.Equal(bytes.TrimSpace([]byte(text)), bytes.TrimSpace(pem)) {
			return id
		}
	}
	return 0
}

// putNodeID keeps what the SuperLink calls a key. It changes nobody's rights, so it has no audit row.
func (s *Service) putNodeID(ctx context.Context, k domain.NodeKey, id uint64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		now, err := tx.NodeKeyByFingerprint(ctx, k.Fingerprint)
		if err != nil {
			return err
		}
		now.NodeID = id
		return tx.UpdateNodeKey(ctx, now)
	})
}

// ForgetNode makes a key be registered anew, after the SuperLink's database was lost.
func (s *Service) ForgetNode(ctx context.Context, k domain.NodeKey) error {
	return s.putNodeID(ctx, k, 0)
}
