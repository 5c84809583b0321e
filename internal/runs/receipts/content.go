package receipts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
)

// receiptReplies adds who was asked, and what each sent in each round.
func (s *Maker) receiptReplies(ctx context.Context, tx Tx, run domain.Run, p *receipt.Run) error {
	lines := newDigest("round phase node_id state object")
	asked := map[uint64]bool{}
	if run.EngineRunID != 0 {
		err := tx.EachExchange(ctx, run.FederationID, run.EngineRunID, func(e domain.Exchange) error {
			asked[e.NodeID] = true
			state := "replied"
			switch {
			case e.Failed:
				state = "failed"
			case e.RepliedAt.IsZero():
				state = "no reply"
			}
			r := receipt.Reply{NodeID: strconv.FormatUint(e.NodeID, 10), Phase: string(e.Phase), Object: e.ReplyObject, State: state}
			lines.add(strconv.Itoa(e.Round), r.Phase, r.NodeID, r.State, r.Object)
			if lines.n > mostReplies {
				p.LeftOut["rounds"] = fmt.Sprintf("only the first %d replies are listed; the digest is over all", mostReplies)
				return nil
			}
			if n := len(p.Rounds); n == 0 || p.Rounds[n-1].Round != e.Round {
				p.Rounds = append(p.Rounds, receipt.Round{Round: e.Round})
			}
			last := &p.Rounds[len(p.Rounds)-1]
			last.Replies = append(last.Replies, r)
			return nil
		})
		if err != nil {
			return err
		}
	}
	p.Replies = lines.sum()
	return receiptParticipants(ctx, tx, run, asked, p)
}

// receiptParticipants adds whose SuperNodes were asked, as they were then.
func receiptParticipants(ctx context.Context, tx Tx, run domain.Run, asked map[uint64]bool, p *receipt.Run) error {
	people, err := tx.RunParticipants(ctx, run.ID)
	if err != nil {
		return err
	}
	keys, err := tx.NodeKeys(ctx, run.FederationID)
	of := map[string]domain.NodeKey{}
	for _, k := range keys {
		of[k.Fingerprint] = k
	}
	add := func(node uint64, partition int, fingerprint string) {
		if node != 0 && asked[node] {
			delete(asked, node)
			k, id := of[fingerprint], strconv.FormatUint(node, 10)
			p.Participants = append(p.Participants, receipt.Participant{Partition: partition, NodeID: id, Fingerprint: fingerprint,
				PublicKey: string(k.PublicPEM)})
			if l := k.Seen.Ledger; l.N > 0 {
				p.Ledgers = append(p.Ledgers, receipt.LedgerHead{NodeID: id, N: l.N, Hash: l.Hash})
			}
		}
	}
	for _, v := range people {
		add(v.NodeID, v.Partition, v.Fingerprint)
	}
	for _, k := range keys {
		add(k.NodeID, k.Partition, k.Fingerprint)
	}
	return err
}

// receiptMetrics adds the metrics of the whole federation, and a digest over every metric.
func (s *Maker) receiptMetrics(ctx context.Context, run domain.Run, p *receipt.Run) error {
	lines := newDigest("round phase node_id name value")
	after := int64(0)
	for {
		all, err := s.Reader.Metrics(ctx, run, after, 10_000)
		if err != nil {
			return err
		}
		for _, m := range all {
			after = m.ID
			text := strconv.FormatFloat(m.Value, 'g', -1, 64)
			lines.add(strconv.Itoa(m.Round), string(m.Phase), strconv.FormatUint(m.NodeID, 10), m.Name, text)
			if m.NodeID != 0 {
				continue
			}
			if len(p.Metrics) == mostMetrics {
				p.LeftOut["metrics"] = fmt.Sprintf("only the first %d metrics of the whole federation are listed; the digest is over all", mostMetrics)
				continue
			}
			v := any(m.Value)
			if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
				v = text
			}
			p.Metrics = append(p.Metrics, receipt.Metric{Round: m.Round, Phase: string(m.Phase), Name: m.Name, Value: v})
		}
		if len(all) == 0 {
			p.AllMetrics = lines.sum()
			return nil
		}
	}
}

// digest is a hash over lines.
type digest struct {
	form string
	n    int
	h    hash.Hash
}

func newDigest(form string) *digest { return &digest{form: form, h: sha256.New()} }

func (d *digest) add(parts ...string) {
	d.n++
	for i, p := range parts {
		if i > 0 {
			_, _ = d.h.Write([]byte{' '})
		}
		_, _ = d.h.Write([]byte(p))
	}
	_, _ = d.h.Write([]byte{'\n'})
}

func (d *digest) sum() receipt.Digest {
	return receipt.Digest{Count: d.n, Lines: d.form, SHA256: hex.EncodeToString(d.h.Sum(nil))}
}
