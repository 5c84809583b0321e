package runs

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"blossomtune/internal/domain"
)

// Participants returns the participants of a run as they were then, by partition. Of a run with a zero ParticipantsAt only those are
// known that were asked; while it goes on, SuperNodes that are enrolled now are returned too.
func (s *Service) Participants(ctx context.Context, run domain.Run) (out []domain.RunParticipant, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if out, err = tx.RunParticipants(ctx, run.ID); err != nil || run.State.Ended() || !run.ParticipantsAt.IsZero() {
			return err
		}
		known := map[uint64]bool{}
		for _, p := range out {
			known[p.NodeID] = true
		}
		keys, err := tx.NodeKeys(ctx, run.FederationID)
		for _, k := range keys {
			if k.RevokedAt.IsZero() && k.NodeID != 0 && !known[k.NodeID] {
				out = append(out, domain.RunParticipant{RunID: run.ID, RequestID: k.RequestID, Partition: k.Partition, Partitions: run.TotalPartitions, NodeID: k.NodeID, Fingerprint: k.Fingerprint})
			}
		}
		return err
	})
	return out, err
}

// ParticipantPage returns up to n of a run's participants, those that follow the cursor of the page before ("" for the first page), and
// the cursor of the next page, "" after the last one.
func (s *Service) ParticipantPage(ctx context.Context, run domain.Run, after string, n int) (page []domain.RunParticipant, next string,
	err error) {
	var at *domain.ParticipantPlace
	if after != "" {
		place, err := domain.ParseParticipantPlace(after)
		if err != nil {
			return nil, "", err
		}
		at = &place
	}
	if run.ParticipantsAt.IsZero() { // they are not stored as such
		page, err = s.Participants(ctx, run)
		slices.SortStableFunc(page, func(a, b domain.RunParticipant) int { return a.Place().Compare(b.Place()) })
		page = slices.DeleteFunc(page, func(p domain.RunParticipant) bool { return at != nil && p.Place().Compare(*at) <= 0 })
	} else {
		err = s.Store.View(ctx, func(tx Tx) (err error) { page, err = tx.ParticipantPage(ctx, run.ID, at, n+1); return err })
	}
	if len(page) > n {
		page = page[:n]
		next = page[n-1].Place().String()
	}
	return page, next, err
}

// People returns the first n participants of a run, as [Service.Participants] does, and sums up all of them.
func (s *Service) People(ctx context.Context, run domain.Run, n int) (first []domain.RunParticipant, all domain.PeopleCount, err error) {
	if !run.ParticipantsAt.IsZero() {
		err = s.Store.View(ctx, func(tx Tx) error {
			if first, err = tx.ParticipantPage(ctx, run.ID, nil, n); err == nil {
				all, err = tx.CountPeople(ctx, run.ID)
			}
			return err
		})
		return first, all, err
	}
	if first, err = s.Participants(ctx, run); err != nil { // they are not stored as such
		return nil, all, err
	}
	enrolled := map[int64]bool{}
	for _, p := range first {
		all.Lines++
		enrolled[p.RequestID] = true
		if p.Online {
			all.Online++
		}
		if !p.AskedAt.IsZero() {
			all.Asked++
		}
		if !p.ContributedAt.IsZero() {
			all.Contributed++
		}
	}
	all.Enrolled = len(enrolled)
	return first[:min(len(first), n)], all, nil
}

// NodeLabels names the participants of a run by the id of their SuperNode: "partition 3".
func (s *Service) NodeLabels(ctx context.Context, run domain.Run) (map[string]string, error) {
	out := map[string]string{}
	err := s.Store.View(ctx, func(tx Tx) error {
		if run.ParticipantsAt.IsZero() { // keys are kept for ever, and each is of one partition
			keys, err := tx.NodeKeys(ctx, run.FederationID)
			if err != nil {
				return err
			}
			for _, k := range keys {
				label(out, k.NodeID, k.Partition)
			}
		}
		all, err := tx.RunPartitions(ctx, run.ID)
		for _, p := range all {
			label(out, p.NodeID, p.Partition)
		}
		return err
	})
	return out, err
}

func label(labels map[string]string, node uint64, partition int) {
	if node != 0 && partition >= 0 {
		labels[strconv.FormatUint(node, 10)] = fmt.Sprintf("partition %d", partition)
	}
}

// AskedIn returns the newest runs in which the SuperNode of a request was asked, with what it did in each.
func (s *Service) AskedIn(ctx context.Context, requestID int64, n int) (out []domain.RunPartOf, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.RunsAsking(ctx, requestID, n); return err })
	return out, err
}
