package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/api"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/portmux"
	"blossomtune/internal/safely/safehttp"
	"blossomtune/internal/tlsca"
)

// Handler is the one port's: the gateway, the API, the pages and what watches the server. Of Flower nothing but the Fleet
// API is here; the rest of /v1/ does not exist.
func (s *Server) Handler() (http.Handler, error) {
	calls := api.New(api.Options{Accounts: s.Accounts, Onboarding: s.Onboarding, Catalog: s.Catalog, Runs: s.Runs, Mail: s.Mail,
		Notify: s.Notify, Audit: s.Audit, Backups: s.Backups, Idempotency: s.Idempotency, Site: s.Site, Engines: s.Engines, Programs: s.programs,
		NodeSigner: s.nodeSigner, Reported: s.Seen.Reported, Contained: s.contained, NodeLog: s.NodeLogs.Add, Connection: s.connection,
		Address: address, Secure: s.secure, Version: s.o.Version, Clock: s.o.Clock, Log: s.o.Log})
	pages, err := s.pages(calls.Description)
	if err != nil {
		return nil, err
	}
	inner := http.NewServeMux()
	inner.Handle("/api/", calls)
	inner.Handle("/api", pages) // a page for people; without it the mux would send them to /api/
	inner.Handle("GET /api/{$}", http.RedirectHandler("/api", http.StatusSeeOther))
	inner.HandleFunc("GET /ca.pem", s.caPEM)
	inner.HandleFunc("GET /receipt-key.pem", s.receiptKey)
	inner.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	inner.HandleFunc("GET /readyz", s.readyz)
	inner.Handle("GET /metrics", s.watched(s.telemetry()))
	inner.Handle("/", pages)
	outer := http.NewServeMux()
	outer.Handle("/v1/fleet/", portmux.Drain(s.Gateway))
	outer.Handle("/v1/", portmux.Drain(http.NotFoundHandler()))
	for _, service := range []string{"Fleet", "GrpcAdapter"} { // of SuperNodes that are too old
		outer.Handle("/flwr.proto."+service+"/", portmux.Pace(http.HandlerFunc(s.Gateway.ServeGRPC), s.o.Rates))
	}
	outer.Handle("/", safehttp.Logged(s.o.Log, portmux.Pace(http.NewCrossOriginProtection().Handler(inner), s.o.Rates)))
	return s.behindProxy(s.strictTransport(outer)), nil
}

// strictTransport tells browsers to use HTTPS only (HSTS), where they trust the certificate anyway. With our own CA it would lock out
// those who have not installed it: no exception can be made then.
func (s *Server) strictTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.secure(r) && s.tls.Pin() == tlsca.PublicPin {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// behindProxy takes the client's address from a declared reverse proxy: the last hop that it added, which no client can set.
func (s *Server) behindProxy(next http.Handler) http.Handler {
	if !s.o.Config.BehindProxy {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if ip := net.ParseIP(strings.TrimSpace(hops[len(hops)-1])); ip != nil {
			r.RemoteAddr = net.JoinHostPort(ip.String(), "0")
		}
		next.ServeHTTP(w, r)
	})
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// secure reports whether the browser speaks TLS, here or to the declared proxy. It is the one definition, for pages and the API.
func (s *Server) secure(r *http.Request) bool {
	return r.TLS != nil || s.o.Config.BehindProxy && strings.HasPrefix(s.url.get(), "https:")
}

// nodeSigner checks the signature of an agent's call: over the whole call, or from earlier versions a Flower signature.
func (s *Server) nodeSigner(r *http.Request) (api.NodeSignature, error) {
	now := s.o.Clock()
	if r.Header.Get(wire.HeaderCallSignature) == "" {
		auth, err := wire.VerifyHeaders(r.Header, now)
		return api.NodeSignature{Fingerprint: auth.Fingerprint, At: auth.Timestamp}, err
	}
	body, err := io.ReadAll(r.Body) // the API has limited it
	if err != nil {
		return api.NodeSignature{}, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	auth, err := wire.VerifyCall(r.Header, r.Method, r.URL.RequestURI(), sha256.Sum256(body), now)
	return api.NodeSignature{Fingerprint: auth.Fingerprint, At: auth.Timestamp, Whole: true}, err
}

// connection is what participants' machines need to reach this server.
func (s *Server) connection() domain.Connection {
	return domain.Connection{PublicURL: s.url.get(), SuperLink: s.SuperLinkAddress(), Pin: s.tls.Pin(), CAPEM: s.tls.CAPEM(),
		Flwr: s.FlwrVersion()}
}

func (s *Server) caPEM(w http.ResponseWriter, r *http.Request) {
	pem := s.tls.CAPEM()
	if pem == nil {
		http.NotFound(w, r) // the address is publicly trusted: there is nothing to download
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="ca.pem"`)
	_, _ = w.Write(pem)
}

// receiptKey is the public key that checks this server's receipts.
func (s *Server) receiptKey(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="receipt-key.pem"`)
	_, _ = w.Write([]byte(s.receipts.PublicKey()))
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.DB.Ready(r.Context()); err != nil {
		text := "The database does not answer."
		var known *domain.Error
		if errors.As(err, &known) {
			text = known.Message + " " + known.Remedy
		}
		http.Error(w, text, http.StatusServiceUnavailable)
		return
	}
	if _, made := s.python.Made(); !made {
		http.Error(w, "the Python environment is being prepared", http.StatusServiceUnavailable)
		return
	}
	state, err := s.Backups.State(r.Context())
	if err != nil {
		http.Error(w, "The database does not answer.", http.StatusServiceUnavailable)
		return
	}
	last := "none"
	if at := state.LastGood.EndedAt; !at.IsZero() {
		last = at.Format(time.RFC3339)
	}
	_, _ = fmt.Fprintf(w, "ready\nlast backup: %s\n", last) // an overdue one does not make the server unready
}

// SetupLink returns the one-time link for the first admin, "" when there is one.
func (s *Server) SetupLink(ctx context.Context) (string, error) {
	secret, ok, err := s.Accounts.NewSetupLink(ctx)
	if err != nil || !ok {
		return "", err
	}
	return s.url.get() + "/setup/" + secret, nil
}

// SignInLink returns a one-time link that signs the host's admin in.
func (s *Server) SignInLink(ctx context.Context) (string, error) {
	p, err := s.Accounts.HostAdmin(ctx)
	if err != nil {
		return "", err
	}
	secret, err := s.Accounts.NewSignInLink(ctx, p.ID)
	return s.url.get() + "/signin/" + secret, err
}

// AdminToken returns an API token that acts as the host's admin.
func (s *Server) AdminToken(ctx context.Context, name string, life time.Duration) (string, error) {
	p, err := s.Accounts.HostAdmin(ctx)
	if err != nil {
		return "", err
	}
	actor := account.ActorOf(p)
	actor.Kind = "system"
	token, _, err := s.Accounts.CreateToken(ctx, actor, p.ID, name, domain.ScopeAll, life)
	return token, err
}
