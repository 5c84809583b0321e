package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// nodesOfEveryStatus makes 14 participants whose SuperNodes are, in turn, of every status.
func nodesOfEveryStatus(t *testing.T, db *store.DB, fed domain.Federation) {
	t.Helper()
	in(t, db, func(tx *store.Tx) error {
		for i := range 2 * len(domain.NodeStatuses) {
			status := domain.NodeStatuses[i%len(domain.NodeStatuses)]
			p := domain.Person{Email: fmt.Sprintf("p%02d@example.org", i), Name: fmt.Sprintf("Site %c", 'z'-i)}
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			r := domain.Request{Ref: fmt.Sprint("R", i), FederationID: fed.ID, PersonID: p.ID, Email: p.Email, Name: p.Name,
				State: domain.Approved, Partition: i, CreatedAt: now, DecidedAt: now}
			if status == domain.NodeRevoked {
				r.State = domain.Revoked
			}
			if err := tx.InsertRequest(ctx, &r); err != nil {
				return err
			}
			if status == domain.NodeNotConnected {
				continue
			}
			if err := insertNode(tx, fed, r, status); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertNode(tx *store.Tx, fed domain.Federation, r domain.Request, status domain.NodeStatus) error {
	k := domain.NodeKey{FederationID: fed.ID, RequestID: r.ID, Partition: r.Partition, PublicPEM: []byte("pem"), Fingerprint: r.Ref,
		Via: "agent", CreatedAt: now}
	if err := tx.InsertNodeKey(ctx, &k); err != nil || status == domain.NodeNeverSeen {
		return err
	}
	seen := domain.NodeSeen{FirstAt: now, LastAt: now.Add(time.Duration(r.Partition) * time.Second), Online: status != domain.NodeOffline,
		BytesIn: int64(100 - r.Partition), Flwr: "1.42.0"}
	if status == domain.NodeStuck {
		seen.Stuck = domain.StuckLate
	}
	switch status {
	case domain.NodeSuspended:
		k.SuspendedAt = now
	case domain.NodeRevoked:
		k.RevokedAt = now
	}
	if err := tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{k.ID: seen}); err != nil {
		return err
	}
	return tx.UpdateNodeKey(ctx, k)
}

// pageNodes reads a filter's rows page by page, and returns their partitions.
func pageNodes(t *testing.T, db *store.DB, f domain.NodeFilter) string {
	t.Helper()
	var out []string
	for {
		var rows []domain.NodeRow
		err := db.View(ctx, func(tx *store.Tx) (err error) { rows, err = tx.NodePage(ctx, f); return err })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if want := f.Status; want != "" && r.Key.Status() != want {
				t.Errorf("a row of %s is %s", want, r.Key.Status())
			}
			out = append(out, fmt.Sprint(r.Holder.Partition))
			f.AfterID = r.Cursor
		}
		if len(rows) < f.Limit {
			return strings.Join(out, " ")
		}
	}
}

// Pages of SuperNodes hold every row once, in every order and status; the database and the domain agree on what a status is.
func TestNodesArePaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fed := federation(t, db)
		nodesOfEveryStatus(t, db, fed)
		for _, c := range []struct {
			f    domain.NodeFilter
			want string
		}{
			{domain.NodeFilter{}, "0 1 2 3 4 5 7 8 9 10 11 12"},
			{domain.NodeFilter{Sort: domain.NodesByName}, "12 11 10 9 8 7 5 4 3 2 1 0"},
			{domain.NodeFilter{Sort: domain.NodesLatest}, "10 9 8 7 3 2 1 0 12 11 5 4"},
			{domain.NodeFilter{Sort: domain.NodesSilent}, "4 5 11 12 0 1 2 3 7 8 9 10"},
			{domain.NodeFilter{Sort: domain.NodesSent}, "0 1 2 3 7 8 9 10 12 11 5 4"},
			{domain.NodeFilter{Sort: domain.NodesReceived, Status: domain.NodeOffline}, "9 2"},
			{domain.NodeFilter{Search: "p0"}, "0 1 2 3 4 5 7 8 9"},
			{domain.NodeFilter{Search: "8"}, "8"},
			{domain.NodeFilter{Keys: true}, "0 1 2 3 4 6 7 8 9 10 11 13"},
			{domain.NodeFilter{Search: "7", Status: domain.NodeStuck}, ""},
		} {
			c.f.FederationID = fed.ID
			for _, limit := range []int{1, 3, 50} {
				c.f.Limit = limit
				if got := pageNodes(t, db, c.f); got != c.want {
					t.Errorf("%+v: %s, want %s", c.f, got, c.want)
				}
			}
		}
		for i, status := range domain.NodeStatuses {
			f := domain.NodeFilter{FederationID: fed.ID, Status: status, Limit: 1}
			if got, want := pageNodes(t, db, f), fmt.Sprint(i, " ", i+len(domain.NodeStatuses)); got != want {
				t.Errorf("%s: %s, want %s", status, got, want)
			}
			in(t, db, func(tx *store.Tx) error {
				n, err := tx.CountNodePage(ctx, f)
				if n != 2 {
					t.Errorf("%d are %s", n, status)
				}
				return err
			})
		}
	})
}

// A tally is kept until something of it changes; a heartbeat alone changes nothing.
func TestTalliesFollowChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fed := federation(t, db)
		nodesOfEveryStatus(t, db, fed)
		tally := func() (out domain.NodeTally) {
			t.Helper()
			if err := db.View(ctx, func(tx *store.Tx) (err error) {
				out, err = tx.NodeTally(context.WithoutCancel(ctx), fed.ID)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return out
		}
		first := tally()
		if got := first.Count(); got != (domain.NodeCount{Good: 10, Online: 2, Stuck: 2}) || first.Approved != 12 ||
			first.By[domain.NodeNotConnected] != 2 || first.Releases["1.42.0"] != 2 {
			t.Errorf("counted %+v, %+v", got, first)
		}
		var rows []domain.NodeRow
		in(t, db, func(tx *store.Tx) (err error) {
			rows, err = tx.NodePage(ctx, domain.NodeFilter{FederationID: fed.ID, Status: domain.NodeOnline})
			return err
		})
		k := rows[0].Key
		beat := func() {
			in(t, db, func(tx *store.Tx) error {
				return tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{k.ID: k.Seen, 9999: {}})
			})
		}
		k.Seen.LastAt, k.Seen.BytesIn, k.Seen.Flwr = k.Seen.LastAt.Add(time.Minute), 7000, ""
		version := db.TallyVersion()
		if beat(); db.TallyVersion() != version {
			t.Error("a heartbeat made tallies be counted again")
		}
		if now := in1(t, db, k.Fingerprint); !now.Seen.LastAt.Equal(k.Seen.LastAt) || now.Seen.BytesIn != 7000 || now.Seen.Flwr != "1.42.0" {
			t.Errorf("the heartbeat is kept as %+v", now.Seen)
		}
		k.Seen.Online = false
		if beat(); tally().By[domain.NodeOnline] != 1 || tally().By[domain.NodeOffline] != 3 {
			t.Errorf("after one went offline: %+v", tally())
		}
	})
}

func in1(t *testing.T, db *store.DB, fingerprint string) (k domain.NodeKey) {
	t.Helper()
	in(t, db, func(tx *store.Tx) (err error) { k, err = tx.NodeKeyByFingerprint(ctx, fingerprint); return err })
	return k
}
