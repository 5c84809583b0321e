package onboarding

import (
	"context"

	"blossomtune/internal/domain"
)

func view[T any](ctx context.Context, s *Service, read func(Tx) (T, error)) (out T, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		out, err = read(tx)
		return err
	})
	return out, err
}

// Federations returns all federations by name.
func (s *Service) Federations(ctx context.Context) ([]domain.Federation, error) {
	return view(ctx, s, func(tx Tx) ([]domain.Federation, error) { return tx.Federations(ctx) })
}

// Federation returns a federation.
func (s *Service) Federation(ctx context.Context, id int64) (domain.Federation, error) {
	return view(ctx, s, func(tx Tx) (domain.Federation, error) { return tx.FederationByID(ctx, id) })
}

// FederationBySlug returns a federation by its part of an address.
func (s *Service) FederationBySlug(ctx context.Context, slug string) (domain.Federation, error) {
	return view(ctx, s, func(tx Tx) (domain.Federation, error) { return tx.FederationBySlug(ctx, slug) })
}

// Request returns a request.
func (s *Service) Request(ctx context.Context, id int64) (domain.Request, error) {
	return view(ctx, s, func(tx Tx) (domain.Request, error) { return tx.RequestByID(ctx, id) })
}

// ByRef returns a request by its readable id, in whatever case it was typed.
func (s *Service) ByRef(ctx context.Context, ref string) (domain.Request, error) {
	return view(ctx, s, func(tx Tx) (domain.Request, error) {
		return tx.RequestByRef(ctx, domain.NormalRef(ref))
	})
}

// Latest returns a person's newest request in a federation.
func (s *Service) Latest(ctx context.Context, fedID, personID int64) (domain.Request, error) {
	return view(ctx, s, func(tx Tx) (domain.Request, error) { return tx.LatestRequest(ctx, fedID, personID) })
}

// CountChosen counts the requests that a filter chooses.
func (s *Service) CountChosen(ctx context.Context, f domain.RequestFilter) (int, error) {
	return view(ctx, s, func(tx Tx) (int, error) { return tx.CountChosen(ctx, f) })
}

// CountNodes counts a federation's keys.
func (s *Service) CountNodes(ctx context.Context, fedID int64) (domain.NodeCount, error) {
	return view(ctx, s, func(tx Tx) (domain.NodeCount, error) { return tx.CountNodes(ctx, fedID) })
}

// NodeTally counts a federation's SuperNodes by what they are, and the people who hold its partitions.
func (s *Service) NodeTally(ctx context.Context, fedID int64) (domain.NodeTally, error) {
	return view(ctx, s, func(tx Tx) (domain.NodeTally, error) { return tx.NodeTally(ctx, fedID) })
}

// Nodes returns the SuperNodes that a filter chooses, in its order.
func (s *Service) Nodes(ctx context.Context, f domain.NodeFilter) ([]domain.NodeRow, error) {
	return view(ctx, s, func(tx Tx) ([]domain.NodeRow, error) { return tx.NodePage(ctx, f) })
}

// CountChosenNodes counts the SuperNodes that a filter chooses.
func (s *Service) CountChosenNodes(ctx context.Context, f domain.NodeFilter) (int, error) {
	return view(ctx, s, func(tx Tx) (int, error) { return tx.CountNodePage(ctx, f) })
}

// List returns the requests that a filter chooses, in its order.
func (s *Service) List(ctx context.Context, f domain.RequestFilter) ([]domain.Request, error) {
	return view(ctx, s, func(tx Tx) ([]domain.Request, error) { return tx.Requests(ctx, f) })
}

// Counts counts a federation's requests by state.
func (s *Service) Counts(ctx context.Context, fedID int64) (map[domain.RequestState]int, error) {
	return view(ctx, s, func(tx Tx) (map[domain.RequestState]int, error) { return tx.CountRequests(ctx, fedID) })
}

// MyRequests returns all requests of a person, newest first.
func (s *Service) MyRequests(ctx context.Context, personID int64) ([]domain.Request, error) {
	return view(ctx, s, func(tx Tx) ([]domain.Request, error) { return tx.RequestsOf(ctx, personID) })
}

// Holders returns a federation's approved requests by their partition.
func (s *Service) Holders(ctx context.Context, fedID int64) (map[int]domain.Request, error) {
	return view(ctx, s, func(tx Tx) (map[int]domain.Request, error) { return tx.HeldPartitions(ctx, fedID) })
}

// NextFree returns the lowest partitions that nobody holds, at most n.
func (s *Service) NextFree(ctx context.Context, fedID int64, n int) ([]int, error) {
	return view(ctx, s, func(tx Tx) ([]int, error) {
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil {
			return nil, err
		}
		held, err := tx.PartitionsHeld(ctx, fedID)
		return nextFree(held, fed.TotalPartitions, n), err
	})
}

// NodeKeys returns a federation's keys by partition, revoked ones too.
func (s *Service) NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error) {
	return view(ctx, s, func(tx Tx) ([]domain.NodeKey, error) { return tx.NodeKeys(ctx, fedID) })
}

// SharingKeys returns up to n of a federation's good keys whose owners share their logs, by partition, from a partition on.
func (s *Service) SharingKeys(ctx context.Context, fedID int64, from, n int) ([]domain.NodeKey, error) {
	return view(ctx, s, func(tx Tx) ([]domain.NodeKey, error) { return tx.SharingKeys(ctx, fedID, from, n) })
}

// HaltedKeys returns a federation's keys that are revoked or suspended.
func (s *Service) HaltedKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error) {
	return view(ctx, s, func(tx Tx) ([]domain.NodeKey, error) { return tx.HaltedKeys(ctx, fedID) })
}

// FindKey returns a federation's key by its fingerprint, in whatever status.
func (s *Service) FindKey(ctx context.Context, fedID int64, fingerprint string) (domain.NodeKey, error) {
	k, err := view(ctx, s, func(tx Tx) (domain.NodeKey, error) { return tx.NodeKeyByFingerprint(ctx, fingerprint) })
	if err == nil && k.FederationID != fedID {
		err = domain.Errorf(domain.NotFound, "There is no such key in this federation.")
	}
	return k, err
}

// KeyOf returns the good key of a request.
func (s *Service) KeyOf(ctx context.Context, requestID int64) (domain.NodeKey, error) {
	return view(ctx, s, func(tx Tx) (domain.NodeKey, error) { return tx.NodeKeyOfRequest(ctx, requestID) })
}

// ByFingerprint returns a key whose request is approved, or was: then it is revoked. Others are [domain.NotFound].
func (s *Service) ByFingerprint(ctx context.Context, fingerprint string) (domain.NodeKey, error) {
	return view(ctx, s, func(tx Tx) (domain.NodeKey, error) {
		k, err := tx.NodeKeyByFingerprint(ctx, fingerprint)
		if err != nil || !k.RevokedAt.IsZero() {
			return k, err
		}
		r, err := tx.RequestByID(ctx, k.RequestID)
		if err == nil && r.State != domain.Approved {
			err = domain.Errorf(domain.NotFound, "The request of this key is %s.", r.State)
		}
		return k, err
	})
}
