package runs

import (
	"context"

	"blossomtune/internal/domain"
	"blossomtune/internal/logmask"
	"blossomtune/internal/pyerror"
)

// maxOutput bounds what is kept of a ClientApp's output, in bytes.
const maxOutput = 8 << 10

// maxCode bounds what is kept of a line of code, in bytes.
const maxCode = 100

// AppExited keeps how a ClientApp failed. The run must be one of the key's federation; more than [domain.MaxAppExits] of one
// SuperNode in a run are not kept, nor any of a run whose data is removed. It is an observation like a metric, and changes no state.
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
		if !run.PurgingAt.IsZero() {
			return nil // the agent reports late, and is told of no fault
		}
		kept, err = tx.InsertAppExit(ctx, e)
		return err
	})
	if err == nil && kept {
		s.reporter.Publish(run, "state")
	}
	return err
}
