package engine

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/observe"
)

// runtime makes the one Runtime API that a run's ServerApp knows, and lets an Observer read what passes.
func (k *server) runtime(engineRunID uint64, onSign func(launcher.Sign)) http.Handler {
	seen := observe.New(observe.Options{
		FederationID: k.o.FederationID, EngineRunID: engineRunID, Sink: k, Clock: k.o.Clock, Logger: k.o.Log,
		OnPushed: func() {
			k.pushes.Add(1)
			k.changed()
		},
		OnShapes: func(s domain.Shapes) { onSign(launcher.Sign{Kind: launcher.SignShapes, Shapes: s}) },
		OnSign: func(s observe.Sign, subStatus, details string) {
			switch s {
			case observe.SignRequest:
				onSign(launcher.Sign{Kind: launcher.SignRequest})
			case observe.SignHeartbeat:
				onSign(launcher.Sign{Kind: launcher.SignHeartbeat})
			case observe.SignOutput:
				onSign(launcher.Sign{Kind: launcher.SignOutput, SubStatus: subStatus, Details: details})
			}
		},
	})
	h, err := k.link.runtime(seen)
	if err != nil {
		k.o.Log.Error("reaching the SuperLink", "err", err)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the SuperLink cannot be reached", http.StatusServiceUnavailable)
		})
	}
	return h
}

// Record stores what an Observer read, then tells that there is something new to see.
func (k *server) Record(ctx context.Context, o domain.Observation) error {
	if err := k.o.Sink.Record(ctx, o); err != nil {
		return err
	}
	k.stored.Add(1)
	k.changed()
	return nil
}
