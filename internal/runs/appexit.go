package runs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// maxOutput bounds what is kept of a ClientApp's output, in bytes.
const maxOutput = 8 << 10

// AppExited keeps how a ClientApp failed. The run must be one of the key's federation; more than [domain.MaxAppExits] of one
// SuperNode in a run are not kept. It is an observation like a metric, and changes no state.
func (s *Service) AppExited(ctx context.Context, key domain.NodeKey, e domain.AppExit) error {
	if key.NodeID == 0 {
		return domain.Errorf(domain.Conflict, "This SuperNode has not taken part in a run yet.")
	}
	e.FederationID, e.NodeID, e.At = key.FederationID, key.NodeID, s.Clock().UTC()
	e.Output = strings.ToValidUTF8(e.Output[:min(len(e.Output), maxOutput)], "")
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

// AppFailure is one way in which the ClientApp of one SuperNode failed in a run.
type AppFailure struct {
	NodeID  uint64
	Times   int
	Message string // begins with "cannot", "raised" …, to follow a name
	Remedy  string
	Output  string // of the last time, where its owner shares it
}

// AppFailures sums up how ClientApps failed in a run, by SuperNode and cause.
func (s *Service) AppFailures(ctx context.Context, run domain.Run) ([]AppFailure, error) {
	if run.EngineRunID == 0 {
		return nil, nil
	}
	var all []domain.AppExit
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.AppExits(ctx, run.FederationID, run.EngineRunID)
		return err
	})
	var out []AppFailure
	for _, e := range all {
		message, remedy := appWords(e)
		i := slices.IndexFunc(out, func(f AppFailure) bool { return f.NodeID == e.NodeID && f.Message == message })
		if i < 0 {
			i = len(out)
			out = append(out, AppFailure{NodeID: e.NodeID, Message: message, Remedy: remedy})
		}
		out[i].Times++
		if e.Output != "" {
			out[i].Output = e.Output
		}
	}
	return out, err
}

// appWords has the words for how a ClientApp failed (flower-facts: 201 exception, 250 communication, 607 import, 608 dependencies).
func appWords(e domain.AppExit) (message, remedy string) {
	switch {
	case e.Module != "":
		return "cannot import " + e.Module + ".", fmt.Sprintf("Its owner installs %s beside the SuperNode, or lets apps install packages (join --deps=allow).", e.Module)
	case e.Signal == "SIGKILL":
		return "was ended by SIGKILL.", "The machine may have run out of memory: its owner looks at the system log; a smaller model or batch helps."
	case e.Signal != "":
		return "was ended by " + e.Signal + ".", "Its owner looks at the log of the run on that machine."
	case e.Kind == "NotStarted":
		return "could not be started.", "Its owner runs join again; it mends the Python environment."
	case e.ExitCode == 607:
		return "cannot import the app.", "Its owner looks at the log of the run on that machine for what is missing."
	case e.ExitCode == 608:
		return "could not install the packages that the app names.", "Fix the dependencies in pyproject.toml, or its owner gives pip a way to its index."
	case e.ExitCode == 250:
		return "lost its SuperNode.", "It may have been restarted; the next round shows whether it is back."
	case e.Kind != "":
		return "raised " + e.Kind + ".", "The log of the run on that machine shows the lines; an app that copes with that machine's data mends it."
	}
	return fmt.Sprintf("ended with exit code %d.", e.ExitCode), "Its owner looks at the log of the run on that machine."
}
