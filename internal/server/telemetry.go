package server

import (
	"context"
	"net"
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/store"
	"blossomtune/internal/telemetry"
)

// watched lets this machine and admins' tokens read metrics.
func (s *Server) watched(metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ip := net.ParseIP(address(r)); ip != nil && ip.IsLoopback() && !s.o.Config.BehindProxy {
			metrics.ServeHTTP(w, r)
			return
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if p, _, err := s.Accounts.ByToken(r.Context(), token); err != nil || !p.Admin {
			http.Error(w, "Metrics need an admin's API token.", http.StatusUnauthorized)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// telemetry is what /metrics answers.
func (s *Server) telemetry() http.Handler {
	return telemetry.Handler(telemetry.Options{Version: s.o.Version, Flwr: python.FlwrVersion, Backups: s.Backups.State, Clock: s.o.Clock,
		Tally: func(ctx context.Context) (t domain.Tally, err error) {
			err = s.DB.View(ctx, func(tx *store.Tx) (err error) { t, err = tx.Tally(ctx); return err })
			return t, err
		},
		SuperLinks: func(ctx context.Context) (map[string]domain.SuperLink, error) {
			feds, err := s.Onboarding.Federations(ctx)
			out := map[string]domain.SuperLink{}
			for _, f := range feds {
				out[f.Slug] = s.Manager.Status(f.ID)
			}
			return out, err
		}})
}
