package runs

import (
	"context"

	"blossomtune/internal/domain"
	"blossomtune/internal/logmask"
	"blossomtune/internal/pyerror"
	"blossomtune/internal/runs/diagnose"
)

// maxOutput bounds what is kept of a ClientApp's output, in bytes.
const maxOutput = 8 << 10

// maxCode bounds what is kept of a line of code, in bytes.
const maxCode = 100

// AppExited keeps how a ClientApp failed. The run must be one of the key's federation; more than [domain.MaxAppExits] of one
// SuperNode in a run are not kept. It is an observation like a metric, and changes no state.
func (s *Service) AppExited(ctx context.Context, key domain.NodeKey, e domain.AppExit) error {
	if key.NodeID == 0 {
		return domain.Errorf(domain.Conflict, "This SuperNode has not taken part in a run yet.")
	}
	e.FederationID, e.NodeID, e.At = key.FederationID, key.NodeID, s.Clock().UTC()
	e.Output = logmask.Text(domain.Cut(e.Output, maxOutput))
	e.File, e.Func, e.Code = domain.Line(e.File), domain.Line(e.Func), domain.Cut(logmask.Text(domain.Line(e.Code)), maxCode)
	if e.Address = domain.Line(e.Address); !pyerror.IsAddress(e.Address) {
		e.Address = ""
	}
	var run domain.Run
	kept := false
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if run, err = tx.RunByEngineID(ctx, e.FederationID, e.EngineRunID); err != nil {
			return err
		}
		kept, err = tx.InsertAppExit(ctx, e)
		return err
	})
	if err == nil && kept {
		s.publish(run, "state")
	}
	return err
}

// AppFailures sums up how ClientApps failed in a run, by SuperNode and cause.
func (s *Service) AppFailures(ctx context.Context, run domain.Run) ([]diagnose.AppFailure, error) {
	if run.EngineRunID == 0 {
		return nil, nil
	}
	var exits []domain.AppExit
	var errors []domain.Exchange
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if exits, err = tx.AppExits(ctx, run.FederationID, run.EngineRunID); err != nil {
			return err
		}
		errors, err = tx.FailedExchanges(ctx, run.FederationID, run.EngineRunID)
		return err
	})
	return diagnose.AppFailures(exits, errors), err
}
