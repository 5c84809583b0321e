package notify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"blossomtune/internal/domain"
)

const (
	checkEvery = time.Minute

	// Conditions that begin close to each other are notified together: the first one that has lasted long enough takes along those that
	// began less than its joinWithin later. After a notice, the next one about the same kind waits.
	offlineJoin = 5 * time.Minute
	offlineGap  = 15 * time.Minute
	peopleGap   = 24 * time.Hour

	diskLowPart, diskGoodPart = 20, 16 // notified below a 20th, and again only after it was above a 16th
	certificateLeft           = 14 * 24 * time.Hour
)

// Machine is what the rules read of the server and its machine.
type Machine struct {
	Started     time.Time
	SuperLink   func(fedID int64) domain.SuperLink
	Disk        func() (free, total int64) // of the data directory, in bytes; 0 where it is not known
	Certificate func() time.Time           // when the server's certificate expires; zero where it has none
}

// Watch checks every minute what lasts for too long, and writes notices about it, until ctx ends.
func (s *Service) Watch(ctx context.Context, m Machine) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Check(ctx, m); err != nil && ctx.Err() == nil {
			s.Log.Error("checking what to notify of", "err", err)
		}
	}
}

// Check writes notices about what lasts for too long now. Each occurrence is notified once; what begins together comes in one notice.
func (s *Service) Check(ctx context.Context, m Machine) error {
	var feds []domain.Federation
	if err := s.Store.View(ctx, func(tx Tx) (err error) { feds, err = tx.Federations(ctx); return err }); err != nil {
		return err
	}
	var errs []error
	for _, f := range feds {
		up := m.SuperLink(f.ID)
		errs = append(errs, s.Store.InTx(ctx, func(tx Tx) error { return s.checkFederation(ctx, tx, f, up, m.Started) }))
	}
	errs = append(errs, s.Store.InTx(ctx, func(tx Tx) error { return s.checkMachine(ctx, tx, m) }))
	s.Wake()
	return errors.Join(errs...)
}

// rule is one kind of condition in a federation.
type rule struct {
	kind  domain.NoticeKind
	after time.Duration // 0: off
	join  time.Duration
	gap   time.Duration
}

func (s *Service) checkFederation(ctx context.Context, tx Tx, f domain.Federation, link domain.SuperLink, started time.Time) error {
	rules, err := tx.NoticeRules(ctx, f.ID)
	if err != nil {
		return err
	}
	pending, err := tx.PendingRequests(ctx, f.ID)
	if err != nil {
		return err
	}
	if err := s.apply(ctx, tx, f.ID, rule{domain.NoticeOverdue, rules.Waiting, 0, peopleGap}, pending); err != nil {
		return err
	}
	unconnected, err := tx.UnconnectedPeople(ctx, f.ID)
	if err != nil {
		return err
	}
	if err := s.apply(ctx, tx, f.ID, rule{domain.NoticeUnconnected, rules.Unconnected, 0, peopleGap}, unconnected); err != nil {
		return err
	}
	if link.State != domain.SuperLinkUp {
		return nil // no SuperNode can be online; its state is shown and is not the participants' fault
	}
	offline, err := tx.OfflineNodes(ctx, f.ID)
	if err != nil {
		return err
	}
	for i, n := range offline { // nobody saw it while the server or the SuperLink was down
		for _, at := range []time.Time{started, link.Since} {
			if n.Since.Before(at) {
				offline[i].Since, n.Since = at, at
			}
		}
	}
	join := min(offlineJoin, rules.Offline/2)
	return s.apply(ctx, tx, f.ID, rule{domain.NoticeOffline, rules.Offline, join, offlineGap}, offline)
}

// apply notifies of those who have been in a condition for long enough and were not notified of, and forgets those who have left it.
func (s *Service) apply(ctx context.Context, tx Tx, fedID int64, r rule, all []domain.Lasting) error {
	open, err := tx.OpenNotices(ctx, fedID, r.kind)
	if err != nil {
		return err
	}
	now, due := s.now(), false
	var fresh []domain.Lasting
	if r.after == 0 {
		all = nil
	}
	for _, v := range all {
		key := strconv.FormatInt(v.ID, 10)
		lasted := now.Sub(v.Since)
		if open[key] {
			delete(open, key)
		} else if lasted >= r.after-r.join {
			fresh = append(fresh, v)
			due = due || lasted >= r.after
		}
	}
	for key := range open {
		if err := tx.CloseNotice(ctx, fedID, r.kind, key); err != nil {
			return err
		}
	}
	if !due {
		return nil
	}
	last := fmt.Sprintf("noticed:%d:%s", fedID, r.kind)
	text, err := tx.Setting(ctx, last)
	if err != nil {
		return err
	}
	ms, _ := strconv.ParseInt(text, 10, 64) // none yet: long ago
	if since := now.Sub(time.UnixMilli(ms)); since >= 0 && since < r.gap {
		return nil
	}
	n := domain.Notice{Kind: r.kind, FederationID: fedID, About: string(r.kind) + ":" + strconv.FormatInt(fedID, 10), At: now,
		Facts: domain.NoticeFacts{People: len(fresh), After: r.after}}
	keys := make([]string, len(fresh))
	for i, v := range fresh {
		n.Facts.After = min(n.Facts.After, now.Sub(v.Since).Truncate(time.Minute))
		if i < domain.NoticeNamed {
			n.Facts.Nodes = append(n.Facts.Nodes, domain.NoticeNode{Partition: v.Partition, Name: v.Name})
		}
		keys[i] = strconv.FormatInt(v.ID, 10)
	}
	if err := tx.OpenNotice(ctx, fedID, r.kind, keys, now); err != nil {
		return err
	}
	if err := tx.InsertNotice(ctx, &n); err != nil {
		return err
	}
	return tx.PutSetting(ctx, last, strconv.FormatInt(now.UnixMilli(), 10))
}

// checkMachine notifies of the disk and the certificate of the server.
func (s *Service) checkMachine(ctx context.Context, tx Tx, m Machine) error {
	free, total := m.Disk()
	facts := domain.NoticeFacts{
		Text:   fmt.Sprintf("%.1f of %.1f GB are free on the disk of the data directory.", float64(free)/1e9, float64(total)/1e9),
		Remedy: "Free some space, or move the data directory to a larger disk. On a full disk, runs fail and nothing can be saved."}
	err := s.one(ctx, tx, domain.NoticeDisk, "disk", total > 0 && free*diskLowPart < total, total > 0 && free*diskGoodPart >= total, facts)
	if err != nil {
		return err
	}
	expires := m.Certificate()
	near := !expires.IsZero() && expires.Sub(s.now()) < certificateLeft
	facts = domain.NoticeFacts{Text: "The server's certificate expires on " + expires.UTC().Format(time.DateOnly) + ".",
		Remedy: "Replace the certificate. The server reloads its file without a restart. SuperNodes cannot connect once it has expired."}
	return s.one(ctx, tx, domain.NoticeCertificate, "server", near, !near, facts)
}

// one notifies of a condition of the server when it begins, and again only after it was over.
func (s *Service) one(ctx context.Context, tx Tx, kind domain.NoticeKind, subject string, is, over bool, facts domain.NoticeFacts) error {
	open, err := tx.OpenNotices(ctx, 0, kind)
	switch {
	case err != nil:
		return err
	case is && !open[subject]:
		if err := tx.OpenNotice(ctx, 0, kind, []string{subject}, s.now()); err != nil {
			return err
		}
		return tx.InsertNotice(ctx, &domain.Notice{Kind: kind, About: string(kind), At: s.now(), Facts: facts})
	case over && open[subject]:
		return tx.CloseNotice(ctx, 0, kind, subject)
	}
	return nil
}

// Rules returns the delays before a federation's managers are notified.
func (s *Service) Rules(ctx context.Context, fedID int64) (r domain.NoticeRules, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { r, err = tx.NoticeRules(ctx, fedID); return err })
	return r, err
}

// SetRules changes the delays before a federation's managers are notified. What change leaves alone stays.
func (s *Service) SetRules(ctx context.Context, actor domain.Actor, fedID int64,
	change func(*domain.NoticeRules)) (r domain.NoticeRules, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if r, err = tx.NoticeRules(ctx, fedID); err != nil {
			return err
		}
		change(&r)
		if err := r.Check(); err != nil {
			return err
		}
		if err := tx.PutNoticeRules(ctx, fedID, r); err != nil {
			return err
		}
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.now(), Actor: actor, Action: "notifications.rules_changed", ObjectKind: "federation",
			ObjectID: fed.Slug, FederationID: fedID, Detail: map[string]string{"offline": domain.Span(r.Offline),
				"unconnected": domain.Span(r.Unconnected), "waiting": domain.Span(r.Waiting), "remind": strconv.FormatBool(r.Remind)}})
	})
	return r, err
}
