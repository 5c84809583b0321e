package store

import (
	"context"

	"blossomtune/internal/domain"
)

func scanApproval(s scanner) (a domain.AppApproval, err error) {
	var at, mailed int64
	err = s.Scan(&a.RequestID, &a.AppHash, &a.State, &a.Reason, &at, &mailed)
	a.ChangedAt, a.Mailed = moment(at), mailed == 1
	return a, err
}

// AppApproval returns what a participant said of an app version.
func (tx *Tx) AppApproval(ctx context.Context, requestID int64, hash string) (domain.AppApproval, error) {
	return get(ctx, tx, "approval", scanApproval, "SELECT request_id, app_hash, state, reason, changed_at, mailed FROM app_approval "+
		"WHERE request_id = $1 AND app_hash = $2", requestID, hash)
}

// CountApprovals counts the app versions of a request whose state is known.
func (tx *Tx) CountApprovals(ctx context.Context, requestID int64) (int, error) {
	return get(ctx, tx, "approval", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT COUNT(*) FROM app_approval WHERE request_id = $1", requestID)
}

// PutAppApproval keeps what a participant said of an app version.
func (tx *Tx) PutAppApproval(ctx context.Context, a domain.AppApproval) error {
	return tx.exec(ctx, "approval", `INSERT INTO app_approval (request_id, app_hash, state, reason, changed_at, mailed)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (request_id, app_hash) DO UPDATE SET state = excluded.state, reason = excluded.reason, changed_at = excluded.changed_at,
		mailed = excluded.mailed`,
		a.RequestID, a.AppHash, string(a.State), a.Reason, millis(a.ChangedAt), bit(a.Mailed))
}

// NodeApprovals returns where the SuperNodes of a federation stand with an app version whose owners decide or have decided, by partition.
func (tx *Tx) NodeApprovals(ctx context.Context, fedID int64, hash string) ([]domain.NodeApproval, error) {
	return list(ctx, tx, "approval", func(s scanner) (n domain.NodeApproval, err error) {
		var node int64
		err = s.Scan(&n.Partition, &node, &n.Approve, &n.State)
		n.NodeID = uint64(node)
		return n, err
	}, `SELECT k.partition_id AS place, k.node_id, k.approve, COALESCE(a.state, '') FROM node_key k LEFT
		JOIN app_approval a ON a.request_id = k.request_id AND a.app_hash = $2
			WHERE k.federation_id = $1 AND k.approve IN ('ask', 'listed') AND k.revoked_at = 0
		UNION SELECT k.partition_id, k.node_id, k.approve, a.state FROM app_approval a JOIN node_key k ON k.request_id = a.request_id
		AND k.revoked_at = 0
			WHERE a.app_hash = $2 AND k.federation_id = $1
		ORDER BY place`, fedID, hash)
}
