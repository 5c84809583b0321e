package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// Glances returns what the federations come to in which a person was given a role, or with all every one, by name.
func (tx *Tx) Glances(ctx context.Context, personID int64, all bool) ([]domain.Glance, error) {
	join, role := "JOIN", "g.role"
	if all {
		join, role = "LEFT JOIN", "'manager'"
	}
	return list(ctx, tx, "federation", func(s scanner) (g domain.Glance, err error) {
		var oldest int64
		g.Federation, err = scanFederation(also{s, []any{&g.Role, &g.Pending, &oldest, &g.Held, &g.Nodes.Good, &g.Nodes.Online, &g.Nodes.Stuck}})
		g.Oldest = moment(oldest)
		return g, err
	}, fmt.Sprintf(`SELECT %s, %s,
			(SELECT COUNT(*) FROM request r WHERE r.federation_id = f.id AND r.state = 'pending'),
			COALESCE((SELECT CASE WHEN r.verified_at = 0 THEN r.created_at ELSE r.verified_at END FROM request r WHERE r.federation_id = f.id
			AND r.state = 'pending' ORDER BY r.id LIMIT 1), 0),
			(SELECT COUNT(*) FROM request r WHERE r.federation_id = f.id AND r.state = 'approved'),
			COALESCE(k.good, 0), COALESCE(k.online, 0), COALESCE(k.stuck, 0)
		FROM federation f %s role_grant g ON g.federation_id = f.id AND g.person_id = $1
			LEFT JOIN (SELECT federation_id, COUNT(*) AS good, %s AS online, %s AS stuck FROM node_key WHERE %s
			GROUP BY federation_id) k ON k.federation_id = f.id
		ORDER BY f.name, f.id`, prefixed("f", federationColumns), role, join, countOnline, countStuck, goodNode), personID)
}

// also scans more columns behind those that a scan function asks for.
type also struct {
	scanner
	more []any
}

// Scan implements scanner.
func (a also) Scan(dest ...any) error { return a.scanner.Scan(append(dest, a.more...)...) }

// Places returns the federations in which a person is anything, with what they are there, or with all every one, by name.
func (tx *Tx) Places(ctx context.Context, personID int64, all bool) ([]domain.Place, error) {
	role, in := "COALESCE(g.role, 'participant')", " WHERE g.role IS NOT NULL OR EXISTS (SELECT 1 FROM request r "+
		"WHERE r.federation_id = f.id AND r.person_id = $1 AND r.state = 'approved')"
	if all {
		role, in = "'manager'", ""
	}
	return list(ctx, tx, "federation", func(s scanner) (p domain.Place, err error) {
		p.Federation, err = scanFederation(also{s, []any{&p.Role}})
		return p, err
	}, fmt.Sprintf("SELECT %s, %s FROM federation f LEFT JOIN role_grant g ON g.federation_id = f.id AND g.person_id = $1%s "+
		"ORDER BY f.name, f.id", prefixed("f", federationColumns), role, in), personID)
}

// RunsNamed returns runs of some federations whose Run ID has all the words, the newest first; with a person only those that this
// participant may see.
func (tx *Tx) RunsNamed(ctx context.Context, feds []int64, personID int64, words []string, n int) ([]domain.Run, error) {
	if len(feds) == 0 {
		return nil, nil
	}
	var w where
	in(&w, "federation_id", feds)
	w.conds = append(w.conds, "deleted_at = 0")
	if personID != 0 {
		w.add(seenBy("run", "?"), personID)
	}
	for _, word := range words {
		w.add(`LOWER(name) LIKE ? ESCAPE '\'`, like(word))
	}
	return list(ctx, tx, "run", scanRun, fmt.Sprintf("SELECT %s FROM run%s ORDER BY id DESC LIMIT %d", runColumns, w.String(), limit(n)),
		w.args...)
}

// RequestsNamed returns the pending and approved requests of some federations whose name, organisation, address or ref has all the
// words, the newest first.
func (tx *Tx) RequestsNamed(ctx context.Context, feds []int64, words []string, n int) ([]domain.Request, error) {
	if len(feds) == 0 {
		return nil, nil
	}
	var w where
	in(&w, "r.federation_id", feds)
	in(&w, "r.state", []string{string(domain.Pending), string(domain.Approved)})
	for _, word := range words {
		w.add(`r.search LIKE ? ESCAPE '\'`, like(word))
	}
	return list(ctx, tx, "request", scanRequest, fmt.Sprintf("%s%s ORDER BY r.id DESC LIMIT %d", fromRequest, w.String(), limit(n)), w.args...)
}

// FirstAskers returns the names of those who wait longest in each of some federations, at most n of each.
func (tx *Tx) FirstAskers(ctx context.Context, feds []int64, n int) (map[int64][]string, error) {
	out := map[int64][]string{}
	if len(feds) == 0 {
		return out, nil
	}
	var w where
	w.add("state = ?", string(domain.Pending))
	in(&w, "federation_id", feds)
	type asker struct {
		fed  int64
		name string
	}
	all, err := list(ctx, tx, "request", func(s scanner) (a asker, err error) { return a, s.Scan(&a.fed, &a.name) },
		fmt.Sprintf(`SELECT federation_id, name FROM (
			SELECT federation_id, id, name, ROW_NUMBER() OVER (PARTITION BY federation_id ORDER BY id) AS place FROM request%s) a
		WHERE place <= %d ORDER BY federation_id, place`, w.String(), n), w.args...)
	for _, a := range all {
		out[a.fed] = append(out[a.fed], a.name)
	}
	return out, err
}

// LastRuns returns the run of each federation that ended last: its name, state, outcome, rounds and end, no more.
func (tx *Tx) LastRuns(ctx context.Context) ([]domain.Run, error) {
	return list(ctx, tx, "run", func(s scanner) (r domain.Run, err error) {
		var ended int64
		err = s.Scan(&r.ID, &r.FederationID, &r.Name, &r.State, &r.Rounds, &r.Round, &ended, &r.Asked, &r.Contributed)
		r.EndedAt = moment(ended)
		return r, err
	}, `SELECT id, federation_id, name, state, rounds, round, ended_at, asked, contributed FROM run WHERE id IN (
		SELECT (SELECT r.id FROM run r WHERE r.federation_id = f.id AND r.deleted_at = 0 AND r.ended_at > 0 ORDER BY r.ended_at DESC, r.id DESC
		LIMIT 1) FROM federation f)`)
}

// OpenFailures returns the runs of some federations that failed or trained nothing since a moment and that no run of their app followed,
// the latest first.
func (tx *Tx) OpenFailures(ctx context.Context, feds []int64, since time.Time, n int) ([]domain.Run, error) {
	if len(feds) == 0 {
		return nil, nil
	}
	var w where
	w.add("r.ended_at > ?", millis(since))
	w.conds = append(w.conds, "r.deleted_at = 0 AND (r.state = 'failed' OR r.state = 'completed' AND r.asked > 0 AND r.contributed = 0)")
	in(&w, "r.federation_id", feds)
	return list(ctx, tx, "run", scanRun, fmt.Sprintf(`SELECT %s FROM run r%s
		AND NOT EXISTS (SELECT 1 FROM run n WHERE n.federation_id = r.federation_id AND n.id > r.id AND n.app_id = r.app_id
		AND n.created_at >= r.ended_at AND n.deleted_at = 0)
		ORDER BY r.ended_at DESC, r.id DESC LIMIT %d`, prefixed("r", runColumns), w.String(), limit(n)), w.args...)
}

// EverCompleted reports whether any run has completed, other than deleted ones and those in which nothing was trained.
func (tx *Tx) EverCompleted(ctx context.Context) (bool, error) {
	return get(ctx, tx, "run", func(s scanner) (is bool, err error) { return is, s.Scan(&is) },
		"SELECT EXISTS (SELECT 1 FROM run WHERE deleted_at = 0 AND state = 'completed' AND (asked = 0 OR contributed > 0))")
}

// GoneNodes returns the SuperNodes that went away from runs which go on: seen since the run began, good, not suspended, not online.
func (tx *Tx) GoneNodes(ctx context.Context) ([]domain.Gone, error) {
	return list(ctx, tx, "key", func(s scanner) (g domain.Gone, err error) {
		var last int64
		err = s.Scan(&g.RunID, &g.Partition, &last)
		g.LastAt = moment(last)
		return g, err
	}, `SELECT r.id, k.partition_id, k.last_at FROM run r JOIN node_key k ON k.federation_id = r.federation_id
		WHERE r.state IN ('queued', 'starting', 'running') AND r.starting_at > 0 AND k.revoked_at = 0 AND k.suspended_at = 0 AND k.online = 0
		AND k.last_at >= r.starting_at
		ORDER BY r.id, k.partition_id`)
}

// AbsentPeople returns, for each of some federations that has any, the people who were approved before a moment and whose SuperNode has
// never been seen, with the first n names.
func (tx *Tx) AbsentPeople(ctx context.Context, feds []int64, before time.Time, n int) ([]domain.Absent, error) {
	if len(feds) == 0 {
		return nil, nil
	}
	var w where
	w.add("r.state = ?", string(domain.Approved))
	w.add("r.decided_at < ?", millis(before))
	in(&w, "r.federation_id", feds)
	type one struct {
		domain.Absent
		name string
	}
	all, err := list(ctx, tx, "request", func(s scanner) (o one, err error) {
		var at int64
		err = s.Scan(&o.FederationID, &o.name, &at, &o.People)
		o.Oldest = moment(at)
		return o, err
	}, fmt.Sprintf(`SELECT federation_id, name, decided_at, people FROM (
			SELECT r.federation_id, r.name, r.decided_at, COUNT(*) OVER (PARTITION BY r.federation_id) AS people,
				ROW_NUMBER() OVER (PARTITION BY r.federation_id ORDER BY r.decided_at, r.id) AS place
			FROM request r%s AND NOT EXISTS (SELECT 1 FROM node_key k WHERE k.request_id = r.id AND k.first_at > 0)) a
		WHERE place <= %d ORDER BY federation_id, place`, w.String(), limit(n)), w.args...)
	var out []domain.Absent
	for _, o := range all {
		if len(out) == 0 || out[len(out)-1].FederationID != o.FederationID {
			out = append(out, o.Absent)
		}
		last := &out[len(out)-1]
		last.Names = append(last.Names, o.name)
	}
	return out, err
}

// LostMails counts the mails that were written since a moment and given up.
func (tx *Tx) LostMails(ctx context.Context, since time.Time) (domain.Lost, error) {
	return get(ctx, tx, "mail", func(s scanner) (l domain.Lost, err error) {
		var oldest sql.NullInt64
		err = s.Scan(&l.Mails, &oldest)
		l.Oldest = moment(oldest.Int64)
		return l, err
	}, "SELECT COUNT(*), MIN(created_at) FROM mail WHERE state = 'dead' AND created_at > $1", millis(since))
}

// ofEach runs one query for several parts of runs, and returns the rows of each by the run's id: columns of what, which conditions on the
// part's run narrow. $f and $e stand for the federation and the engine run, $r for the round, $p and $n for the metric.
func ofEach[T any](ctx context.Context, tx *Tx, noun string, scan func(scanner) (T, error), columns, what string,
	parts []domain.RunPart) (map[int64][]T, error) {
	out := map[int64][]T{}
	if len(parts) == 0 {
		return out, nil
	}
	var args []any
	arms := make([]string, len(parts))
	for i, p := range parts {
		mark := func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) }
		id, arm := mark(p.Run.ID), what
		for _, given := range []struct {
			sign string
			v    any
		}{{"$f", p.Run.FederationID}, {"$e", int64(p.Run.EngineRunID)}, {"$r", p.From}, {"$p", string(p.Phase)}, {"$n", p.Name}} {
			if strings.Contains(arm, given.sign) {
				arm = strings.ReplaceAll(arm, given.sign, mark(given.v))
			}
		}
		arms[i] = fmt.Sprintf("SELECT CAST(%s AS BIGINT) AS run_id, %s %s", id, columns, arm)
	}
	type row struct {
		run int64
		v   T
	}
	all, err := list(ctx, tx, noun, func(s scanner) (r row, err error) {
		r.v, err = scan(before{s, &r.run})
		return r, err
	}, strings.Join(arms, " UNION ALL ")+" ORDER BY 1, 2, 3", args...)
	for _, r := range all {
		out[r.run] = append(out[r.run], r.v)
	}
	return out, err
}

// before scans one column in front of those that a scan function asks for.
type before struct {
	scanner
	first any
}

// Scan implements scanner.
func (b before) Scan(dest ...any) error { return b.scanner.Scan(append([]any{b.first}, dest...)...) }

// NamesOf returns which metrics several runs have, as far as they are rolled up, by the run's id.
func (tx *Tx) NamesOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.MetricName, error) {
	return ofEach(ctx, tx, "metric name", func(s scanner) (n domain.MetricName, err error) { return n, s.Scan(&n.Phase, &n.Name) },
		"phase, name", "FROM metric_name WHERE federation_id = $f AND engine_run_id = $e", parts)
}

// BandsOf returns what one metric of each of several runs comes to from a round on, by the run's id.
func (tx *Tx) BandsOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.Band, error) {
	return ofEach(ctx, tx, "band", scanBand, bandColumns,
		"FROM metric_band WHERE federation_id = $f AND engine_run_id = $e AND phase = $p AND name = $n AND round >= $r", parts)
}

// SpansOf returns when the rounds of several runs from one on began, by the run's id.
func (tx *Tx) SpansOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.RoundSpan, error) {
	return ofEach(ctx, tx, "round", scanSpan, "round, MIN(asked_at), MAX(replied_at)",
		"FROM exchange WHERE federation_id = $f AND engine_run_id = $e AND round >= $r GROUP BY round", parts)
}

// AskedOf returns what [Tx.NewestExchanges] does of several runs, by the run's id.
func (tx *Tx) AskedOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.Exchange, error) {
	return ofEach(ctx, tx, "exchange", scanPlainExchange,
		"federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error",
		"FROM exchange WHERE federation_id = $f AND engine_run_id = $e AND round = ("+newestRound("$f", "$e")+")", parts)
}
