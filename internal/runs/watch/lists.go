package watch

import (
	"cmp"
	"context"
	"slices"

	"blossomtune/internal/domain"
)

// ListBands returns what a list-valued metric's elements come to over all SuperNodes, by index, in the newest round up to another one (0: of
// all), and that round. There are none where the metric has no elements.
func (s *Reader) ListBands(ctx context.Context, run domain.Run, of domain.MetricName, upto int) (round int, bands []domain.Band,
	err error) {
	bands, err = look(ctx, s, run, func(tx Tx) ([]domain.Band, error) {
		n, ok, err := tx.ListRound(ctx, run.FederationID, run.EngineRunID, of, upto)
		if err != nil || !ok {
			return nil, err
		}
		round = n
		return tx.ListBands(ctx, run.FederationID, run.EngineRunID, of, n)
	})
	slices.SortFunc(bands, func(a, b domain.Band) int { return cmp.Compare(elementOf(a.Name), elementOf(b.Name)) })
	return round, bands, err
}

func elementOf(name string) int {
	_, n, _ := domain.ListElement(name)
	return n
}

// ListOfNode returns what one SuperNode sent of a list-valued metric in a round, by index.
func (s *Reader) ListOfNode(ctx context.Context, run domain.Run, node uint64, of domain.MetricName, round int) ([]domain.Metric, error) {
	ms, err := look(ctx, s, run, func(tx Tx) ([]domain.Metric, error) {
		return tx.ListOfNode(ctx, run.FederationID, run.EngineRunID, node, of, round)
	})
	slices.SortFunc(ms, func(a, b domain.Metric) int { return cmp.Compare(elementOf(a.Name), elementOf(b.Name)) })
	return ms, err
}

// RankedLists returns the SuperNodes whose list-valued metric has the lowest or the highest mean in a round.
func (s *Reader) RankedLists(ctx context.Context, run domain.Run, round int, of domain.MetricName, highest bool, n int) ([]uint64, error) {
	return look(ctx, s, run, func(tx Tx) ([]uint64, error) {
		return tx.RankedLists(ctx, run.FederationID, run.EngineRunID, round, of, highest, n)
	})
}
