package engine

import (
	"context"
	"net/http"
	"net/url"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/runtimeproxy"
)

// proxy makes the one Runtime API that a run's ServerApp knows.
func (k *server) proxy(engineRunID uint64, onSign func(launcher.Sign)) http.Handler {
	transport, err := k.link.transport()
	if err != nil {
		k.o.Log.Error("reaching the SuperLink", "err", err)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the SuperLink cannot be reached", http.StatusServiceUnavailable)
		})
	}
	p := runtimeproxy.New(runtimeproxy.Options{
		FederationID: k.o.FederationID, EngineRunID: engineRunID, Upstream: &url.URL{Scheme: "https", Host: "localhost"}, Transport: transport,
		Sink: k, Clock: k.o.Clock, Logger: k.o.Log,
		OnPushed: func() {
			k.pushes.Add(1)
			k.changed()
		},
		OnShapes: func(s domain.Shapes) { onSign(launcher.Sign{Kind: launcher.SignShapes, Shapes: s}) },
		OnSign: func(s runtimeproxy.Sign, subStatus, details string) {
			switch s {
			case runtimeproxy.SignRequest:
				onSign(launcher.Sign{Kind: launcher.SignRequest})
			case runtimeproxy.SignHeartbeat:
				onSign(launcher.Sign{Kind: launcher.SignHeartbeat})
			case runtimeproxy.SignOutput:
				onSign(launcher.Sign{Kind: launcher.SignOutput, SubStatus: subStatus, Details: details})
			}
		},
	})
	k.proxies.add(engineRunID, p)
	return p
}

// Record stores what a Runtime proxy saw, then tells that there is something new to see.
func (k *server) Record(ctx context.Context, o domain.Observation) error {
	if err := k.o.Sink.Record(ctx, o); err != nil {
		return err
	}
	k.stored.Add(1)
	k.changed()
	return nil
}
