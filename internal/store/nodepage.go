package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

func scanInt(s scanner) (n int, err error) { return n, s.Scan(&n) }

// nodeOrder is the expression of each order but that by partition, and whether it falls.
var nodeOrder = map[domain.NodeSort]struct {
	by    string
	falls bool
}{
	domain.NodesByName: {"LOWER(r.name)", false}, domain.NodesLatest: {"COALESCE(k.last_at, 0)", true},
	domain.NodesSilent: {"COALESCE(k.last_at, 0)", false},
	domain.NodesSent:   {"COALESCE(k.bytes_in, 0)", true}, domain.NodesReceived: {"COALESCE(k.bytes_out, 0)", true},
}

// nodeSource is where the rows of a filter come from.
type nodeSource struct {
	from, id, partition string
	where               where
}

func sourceOf(f domain.NodeFilter) nodeSource {
	s := nodeSource{from: " FROM request r LEFT JOIN node_key k ON k.request_id = r.id AND k.revoked_at = 0", id: "r.id",
		partition: "r.partition_id"}
	switch {
	case f.Status == "" && !f.Keys, f.Status == domain.NodeNotConnected:
		s.where.add("r.federation_id = ?", f.FederationID)
		s.where.conds = append(s.where.conds, "r.state = 'approved'")
		if f.Status != "" {
			s.where.conds = append(s.where.conds, "k.id IS NULL")
		}
	default:
		s.from, s.id, s.partition = " FROM node_key k JOIN request r ON r.id = k.request_id", "k.id", "k.partition_id"
		s.where.add("k.federation_id = ?", f.FederationID)
		if f.Status != "" {
			s.where.add("k.status = ?", string(f.Status))
		}
	}
	if f.Release != "" {
		s.where.add("k.flwr = ?", f.Release)
	}
	words := strings.TrimSpace(f.Search)
	if n, err := strconv.Atoi(words); err == nil && n >= 0 && n < domain.MaxPartitions {
		s.where.args = append(s.where.args, n, like(words))
		s.where.conds = append(s.where.conds, fmt.Sprintf("(%s = $%d OR r.search LIKE $%d)", s.partition, len(s.where.args)-1, len(s.where.args)))
	} else if words != "" {
		s.where.add(`r.search LIKE ? ESCAPE '\'`, like(words))
	}
	return s
}

// NodePage returns the SuperNodes that a filter chooses, in its order. It reads no more rows than it returns, besides what its index
// or order needs.
func (tx *Tx) NodePage(ctx context.Context, f domain.NodeFilter) ([]domain.NodeRow, error) {
	src := sourceOf(f)
	order, known := nodeOrder[f.Sort]
	if !known {
		order.by = src.partition
	}
	direction, beyond := "", ">"
	if order.falls {
		direction, beyond = " DESC", "<"
	}
	if f.AfterID != 0 { // two statements, as in Requests
		at, err := get(ctx, tx, "SuperNode", func(s scanner) (v any, err error) { return v, s.Scan(&v) },
			"SELECT "+order.by+src.from+" WHERE "+src.id+" = $1", f.AfterID)
		if err != nil {
			return nil, err
		}
		src.where.args = append(src.where.args, at, f.AfterID)
		n := len(src.where.args)
		src.where.conds = append(src.where.conds, fmt.Sprintf("(%s, %s) %s ($%d, $%d)", order.by, src.id, beyond, n-1, n))
	}
	scan := func(s scanner) (r domain.NodeRow, err error) { return r, s.Scan(&r.Holder.ID, &r.Key.ID, &r.Cursor) }
	query := fmt.Sprintf("SELECT r.id, COALESCE(k.id, 0), %s%s%s ORDER BY %s%s, %s%s LIMIT %d",
		src.id, src.from, src.where.String(), order.by, direction, src.id, direction, limit(f.Limit))
	rows, err := list(ctx, tx, "SuperNode", scan, query, src.where.args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows, tx.fillNodes(ctx, rows)
}

// fillNodes completes rows of which the ids are known.
func (tx *Tx) fillNodes(ctx context.Context, rows []domain.NodeRow) error {
	var requests, keys []int64
	for _, r := range rows {
		requests = append(requests, r.Holder.ID)
		if r.Key.ID != 0 {
			keys = append(keys, r.Key.ID)
		}
	}
	var w where
	in(&w, "id", requests)
	holders, err := list(ctx, tx, "request", func(s scanner) (r domain.Request, err error) {
		var decided int64
		err = s.Scan(&r.ID, &r.Ref, &r.FederationID, &r.PersonID, &r.State, &r.Partition, &r.Name, &r.Organisation, &decided)
		r.DecidedAt = moment(decided)
		return r, err
	}, "SELECT id, ref, federation_id, person_id, state, partition_id, name, organisation, decided_at FROM request"+w.String(), w.args...)
	if err != nil {
		return err
	}
	byID := map[int64]domain.Request{}
	for _, h := range holders {
		byID[h.ID] = h
	}
	keyByID := map[int64]domain.NodeKey{}
	if len(keys) > 0 {
		var w where
		in(&w, "id", keys)
		found, err := list(ctx, tx, "key", scanNodeKey, "SELECT "+nodeKeyColumns+" FROM node_key"+w.String(), w.args...)
		if err != nil {
			return err
		}
		for _, k := range found {
			keyByID[k.ID] = k
		}
	}
	for i := range rows {
		rows[i].Holder, rows[i].Key = byID[rows[i].Holder.ID], keyByID[rows[i].Key.ID]
	}
	return nil
}

// CountNodePage counts the SuperNodes that a filter chooses; its order, limit and cursor do not matter.
func (tx *Tx) CountNodePage(ctx context.Context, f domain.NodeFilter) (int, error) {
	src := sourceOf(f)
	return get(ctx, tx, "SuperNode", scanInt, "SELECT COUNT(*)"+src.from+src.where.String(), src.where.args...)
}
