package runs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
	"blossomtune/internal/safely"
)

const (
	receiptsLook = 30 * time.Second // without being told of an end
	mostReplies  = 50_000           // listed in a receipt; the digest is over all
	mostMetrics  = 50_000

	receiptsAtOnce = 20
	receiptSettles = 3 * time.Second
	receiptsAgain  = 5 * time.Minute // after a failure
)

func (s *Service) receiptDue() {
	select {
	case s.ended <- struct{}{}:
	default: // somebody looks already
	}
}

// makeReceipts gives every run that has ended its receipt, also those that ended when the server was killed.
func (s *Service) makeReceipts(ctx context.Context) {
	if s.Receipts == nil {
		return
	}
	tick := time.NewTicker(receiptsLook)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.MakeReceipts(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Error("making receipts", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-s.ended:
			settle(ctx)
		case <-tick.C:
		}
	}
}

// settle waits until what was seen of the run's last messages is stored, and the agents have reported their ledgers.
func settle(ctx context.Context) {
	timer := time.NewTimer(receiptSettles)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// MakeReceipts makes the receipts that are due now.
func (s *Service) MakeReceipts(ctx context.Context) error {
	s.receiptsMu.Lock()
	defer s.receiptsMu.Unlock()
	for {
		if n, err := s.receiptsStep(ctx); n == 0 || err != nil {
			return err
		}
	}
}

// receiptsStep makes some of the receipts that are due. One that cannot be made holds up no other: it is tried again later.
func (s *Service) receiptsStep(ctx context.Context) (made int, err error) {
	var due []domain.Run
	if err := s.Store.View(ctx, func(tx Tx) (err error) {
		due, err = tx.RunsWithoutReceipt(ctx, receiptsAtOnce+len(s.receiptsFailed))
		return err
	}); err != nil {
		return 0, err
	}
	for _, run := range due {
		if s.Clock().Before(s.receiptsFailed[run.ID]) {
			continue
		}
		err := safely.Do(s.Logger, "making a receipt", func() error { return s.makeReceipt(ctx, run) })
		if ctx.Err() != nil {
			return made, ctx.Err()
		}
		if err != nil {
			s.Logger.Error("making a receipt", "run", run.Name, "err", err, "again_in", receiptsAgain)
			s.receiptsFailed[run.ID] = s.Clock().Add(receiptsAgain)
			continue
		}
		delete(s.receiptsFailed, run.ID)
		made++
	}
	return made, nil
}

func (s *Service) makeReceipt(ctx context.Context, run domain.Run) error {
	st, err := s.statement(ctx, run)
	if err != nil {
		return err
	}
	envelope, err := s.Receipts.Sign(st)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(envelope)
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.InsertReceipt(ctx, run.ID, envelope, s.Clock().UTC()); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(domain.System, run, "run.receipt", map[string]string{"key": s.Receipts.KeyID(), "sha256": hex.EncodeToString(sum[:])}))
	})
	if err == nil {
		s.publish(run, "state")
	}
	return err
}

// Receipt returns a run's receipt as it is given out. Until it is made it is a [domain.NotFound] error.
func (s *Service) Receipt(ctx context.Context, run domain.Run) (envelope []byte, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { envelope, err = tx.Receipt(ctx, run.ID); return err })
	if domain.CodeOf(err) == domain.NotFound {
		err = domain.Errorf(domain.NotFound, "%s has no receipt yet.", run.Name).Fix("It is made when the run has ended.").Because(err)
	}
	return envelope, err
}

// ReceiptSize returns how large a run's receipt is in bytes, and the id of the key that signs receipts now; 0 until it is made.
func (s *Service) ReceiptSize(ctx context.Context, run domain.Run) (size int64, keyID string, err error) {
	if s.Receipts == nil || !run.State.Ended() {
		return 0, "", nil
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) { size, err = tx.ReceiptSize(ctx, run.ID); return err })
	if domain.CodeOf(err) == domain.NotFound {
		err = nil
	}
	return size, s.Receipts.KeyID(), err
}

func (s *Service) statement(ctx context.Context, run domain.Run) (receipt.Statement, error) {
	lock := sha256.Sum256(s.Requirements)
	p := receipt.Run{Run: run.Name, State: string(run.State), Outcome: string(run.Outcome()), QueuedAt: run.CreatedAt, EndedAt: run.EndedAt, App: receipt.App{ID: run.AppID, Version: run.AppVersion, SHA256: run.AppHash},
		Lock:     receipt.Lock{Flwr: s.Flwr, RequirementsSHA256: hex.EncodeToString(lock[:]), InstallDependencies: run.Settings.InstallDependencies},
		Settings: run.Settings, Partitions: run.TotalPartitions, LeftOut: map[string]string{}, Server: s.Version, MadeAt: s.Clock().UTC()}
	if run.State == domain.Failed || run.Outcome() == domain.NothingTrained {
		p.Cause = run.Cause.Message
	}
	if run.EngineRunID != 0 {
		p.EngineRunID = strconv.FormatUint(run.EngineRunID, 10)
	}
	if !run.StartingAt.IsZero() {
		p.StartedAt = &run.StartingAt
	}
	st := receipt.Statement{Subject: []receipt.Subject{subject("fab", run.AppHash)}}
	err := s.Store.View(ctx, func(tx Tx) error {
		fed, err := tx.FederationByID(ctx, run.FederationID)
		if err != nil {
			return err
		}
		app, err := tx.AppVersionByHash(ctx, run.AppHash, false)
		if err != nil {
			return err
		}
		p.Federation, p.Config = fed.Slug, domain.JSONConfig(Curves{Run: run, App: app}.Config())
		return s.receiptReplies(ctx, tx, run, &p)
	})
	if err == nil {
		err = s.receiptMetrics(ctx, run, &p)
	}
	if err == nil {
		err = s.receiptFiles(ctx, run, &st, &p)
	}
	st.Predicate = p
	return st, err
}

func subject(name, sum string) receipt.Subject {
	return receipt.Subject{Name: name, Digest: map[string]string{"sha256": sum}}
}

// receiptReplies adds who was asked, and what each sent in each round.
func (s *Service) receiptReplies(ctx context.Context, tx Tx, run domain.Run, p *receipt.Run) error {
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
			p.Participants = append(p.Participants, receipt.Participant{Partition: partition, NodeID: id, Fingerprint: fingerprint, PublicKey: string(k.PublicPEM)})
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
func (s *Service) receiptMetrics(ctx context.Context, run domain.Run, p *receipt.Run) error {
	lines := newDigest("round phase node_id name value")
	after := int64(0)
	for {
		all, err := s.Metrics(ctx, run, after, 10_000)
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
