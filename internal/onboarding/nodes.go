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

// idsAtOnce is how many node ids are kept in one transaction. What a crash loses of them, the SuperLink still knows.
const idsAtOnce = 100

// SyncNodes brings the SuperLink's list of nodes in line with the enrolled keys. It reads only the keys whose node has to be registered
// or may have to be unregistered. The fingerprints of keys that changed are returned: whoever remembers those forgets them.
func (s *Service) SyncNodes(ctx context.Context, reg Registrar, fedID int64) ([]string, error) {
	s.syncing.Lock() // one at a time: two would register the same key twice
	defer s.syncing.Unlock()
	keys, err := view(ctx, s, func(tx Tx) ([]domain.NodeKey, error) { return tx.UnsyncedKeys(ctx, fedID) })
	if err != nil {
		return nil, err
	}
	y := nodeSync{Service: s, reg: reg, fed: fedID}
	for _, k := range keys {
		err := y.sync(ctx, k)
		if err != nil {
			y.errs = append(y.errs, fmt.Errorf("key of partition %d: %w", k.Partition, err))
		}
		if domain.CodeOf(err) == domain.Unavailable {
			break
		}
	}
	if err := y.keep(ctx); err != nil {
		y.errs = append(y.errs, err)
	}
	return y.changed, errors.Join(y.errs...)
}

// nodeSync is one pass of SyncNodes.
type nodeSync struct {
	*Service
	reg     Registrar
	fed     int64
	known   map[string]uint64 // of the SuperLink, once it was asked
	ids     []domain.NodeKey  // with ids that are not kept yet
	changed []string
	errs    []error
}

func (y *nodeSync) sync(ctx context.Context, k domain.NodeKey) error {
	switch {
	case k.RevokedAt.IsZero():
		id, err := y.register(ctx, k)
		if err != nil {
			return err
		}
		k.NodeID = id
		if y.ids = append(y.ids, k); len(y.ids) == idsAtOnce {
			return y.keep(ctx)
		}
	case !y.gone[k.ID]:
		// The id stays with the key: it is what past runs know the node by. Unregistering again after a restart is no error.
		if err := y.reg.UnregisterNode(ctx, y.fed, k.NodeID); err != nil {
			return err
		}
		y.gone[k.ID] = true
		y.changed = append(y.changed, k.Fingerprint)
	}
	return nil
}

func (y *nodeSync) register(ctx context.Context, k domain.NodeKey) (uint64, error) {
	id, err := y.reg.RegisterNode(ctx, y.fed, k.PublicPEM, fmt.Sprintf("partition-%d", k.Partition))
	if domain.CodeOf(err) != domain.Conflict {
		return id, err
	}
	// It was registered before, but its answer was lost.
	if y.known == nil {
		if y.known, err = y.reg.RegisteredNodes(ctx, y.fed); err != nil {
			return 0, err
		}
	}
	if id = findKey(y.known, k.PublicPEM); id == 0 {
		return 0, domain.Errorf(domain.Internal, "The SuperLink knows the key, but does not list it.")
	}
	return id, nil
}

// keep stores the ids that were given since the last time.
func (y *nodeSync) keep(ctx context.Context) error {
	ids := y.ids
	y.ids = nil
	if err := y.putNodeIDs(ctx, ids); err != nil {
		return err
	}
	for _, k := range ids {
		y.changed = append(y.changed, k.Fingerprint)
	}
	return nil
}

func findKey(known map[string]uint64, pem []byte) uint64 {
	for text, id := range known {
		if bytes.Equal(bytes.TrimSpace([]byte(text)), bytes.TrimSpace(pem)) {
			return id
		}
	}
	return 0
}

// putNodeIDs keeps what the SuperLink calls some keys. It changes nobody's rights, so it has no audit row.
func (s *Service) putNodeIDs(ctx context.Context, keys []domain.NodeKey) error {
	if len(keys) == 0 {
		return nil
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		for _, k := range keys {
			now, err := tx.NodeKeyByFingerprint(ctx, k.Fingerprint)
			if err != nil {
				return err
			}
			now.NodeID = k.NodeID
			if err := tx.UpdateNodeKey(ctx, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetNode makes a key be registered anew, after the SuperLink's database was lost.
func (s *Service) ForgetNode(ctx context.Context, k domain.NodeKey) error {
	k.NodeID = 0
	return s.putNodeIDs(ctx, []domain.NodeKey{k})
}
