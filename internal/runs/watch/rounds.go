package watch

import (
	"context"

	"blossomtune/internal/domain"
)

// noteRounds brings a run up to the newest round in which something was asked of SuperNodes: an app's log may say nothing of rounds. It
// reports whether the run came further.
func noteRounds(ctx context.Context, tx Tx, id int64) (moved bool, err error) {
	run, err := tx.RunByID(ctx, id)
	if err != nil || run.State.Ended() {
		return false, err
	}
	n, err := tx.RoundsAsked(ctx, run.FederationID, run.EngineRunID, run.Rounds)
	if err != nil || n <= run.Round {
		return false, err
	}
	logged(&run, n, 0)
	return true, tx.UpdateRun(ctx, run)
}

// logged takes over what a run's log says of its rounds. Its total is the app's own word, but never less than what was done.
func logged(run *domain.Run, round, rounds int) {
	run.Round = max(run.Round, round)
	if rounds > 0 {
		run.Rounds = rounds
	}
	if run.Rounds > 0 {
		run.Rounds = max(run.Rounds, run.Round)
	}
}
