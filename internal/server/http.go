package server

import (
	"bytes"
	"crypto/sha256"
	"errors"
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
	"blossomtune/internal/tlsca"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler is the one port's: the gateway, the API, the pages and what watches the server. Of Flower nothing but the Fleet
// API is here; the rest of /v1/ does not exist.
func (a *Server) handler() (http.Handler, error) {
	pages, err := a.pages()
	if err != nil {
		return nil, err
	}
	inner := http.NewServeMux()
	inner.Handle("/api/", api.New(api.Options{Accounts: a.Accounts, Onboarding: a.Onboarding, Catalog: a.Catalog, Runs: a.Runs, Mail: a.Mail,
		Audit: a.Audit, Site: a.Site, Engines: a.Engines, Programs: a.programs,
		NodeSigner: a.nodeSigner, Reported: a.reported, Contained: a.contained, NodeLog: a.nodeLogs.add, Connection: a.apiConnection, Address: address, Secure: a.secure, Version: a.o.Version, Clock: a.o.Clock, Log: a.o.Log}))
	inner.Handle("/api", pages) // a page for people; without it the mux would send them to /api/
	inner.Handle("GET /api/{$}", http.RedirectHandler("/api", http.StatusSeeOther))
	inner.HandleFunc("GET /ca.pem", a.caPEM)
	inner.HandleFunc("GET /receipt-key.pem", a.receiptKey)
	inner.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	inner.HandleFunc("GET /readyz", a.readyz)
	inner.HandleFunc("GET /metrics", a.metrics)
	inner.Handle("/", pages)
	outer := http.NewServeMux()
	outer.Handle("/v1/fleet/", portmux.Drain(a.gateway))
	outer.Handle("/v1/", portmux.Drain(http.NotFoundHandler()))
	for _, service := range []string{"Fleet", "GrpcAdapter"} { // of SuperNodes that are too old
		outer.Handle("/flwr.proto."+service+"/", portmux.Pace(http.HandlerFunc(a.gateway.ServeGRPC), a.o.Rates))
	}
	outer.Handle("/", portmux.Pace(http.NewCrossOriginProtection().Handler(inner), a.o.Rates))
	return a.behindProxy(a.strictTransport(outer)), nil
}

// strictTransport tells browsers to use HTTPS only (HSTS), where they trust the certificate anyway. With our own CA it would lock out
// those who have not installed it: no exception can be made then.
func (a *Server) strictTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.secure(r) && a.tls.Pin() == tlsca.PublicPin {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// behindProxy takes the client's address from a declared reverse proxy: the last hop that it added, which no client can set.
func (a *Server) behindProxy(next http.Handler) http.Handler {
	if !a.o.Config.BehindProxy {
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
func (a *Server) secure(r *http.Request) bool {
	return r.TLS != nil || a.o.Config.BehindProxy && strings.HasPrefix(a.publicURL, "https:")
}

// nodeSigner checks the signature of an agent's call: over the whole call, or from earlier versions a Flower signature.
func (a *Server) nodeSigner(r *http.Request) (api.NodeSignature, error) {
	now := a.o.Clock()
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

func (a *Server) apiConnection() api.Connection {
	return api.Connection{PublicURL: a.publicURL, SuperLink: a.SuperLinkAddress(), Flwr: a.FlwrVersion(), CAPEM: a.tls.CAPEM()}
}

func (a *Server) caPEM(w http.ResponseWriter, r *http.Request) {
	pem := a.tls.CAPEM()
	if pem == nil {
		http.NotFound(w, r) // the address is publicly trusted: there is nothing to download
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="ca.pem"`)
	_, _ = w.Write(pem)
}

// receiptKey is the public key that checks this server's receipts.
func (a *Server) receiptKey(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="receipt-key.pem"`)
	_, _ = w.Write([]byte(a.receipts.PublicKey()))
}

func (a *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := a.db.Ready(r.Context()); err != nil {
		text := "The database does not answer."
		var known *domain.Error
		if errors.As(err, &known) {
			text = known.Message + " " + known.Remedy
		}
		http.Error(w, text, http.StatusServiceUnavailable)
		return
	}
	if !a.python.ready() {
		http.Error(w, "the Python environment is being prepared", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

var prometheusHandler = promhttp.Handler()

// metrics is for this machine and for admins' tokens.
func (a *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if ip := net.ParseIP(address(r)); ip != nil && ip.IsLoopback() && !a.o.Config.BehindProxy {
		prometheusHandler.ServeHTTP(w, r)
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if p, _, err := a.Accounts.ByToken(r.Context(), token); err != nil || !p.Admin {
		http.Error(w, "metrics need an admin's API token", http.StatusUnauthorized)
		return
	}
	prometheusHandler.ServeHTTP(w, r)
}

// SetupLink returns the one-time link for the first admin, "" when there is one.
func (a *Server) SetupLink() (string, error) {
	secret, ok, err := a.Accounts.NewSetupLink(a.ctx)
	if err != nil || !ok {
		return "", err
	}
	return a.publicURL + "/setup/" + secret, nil
}

// SignInLink returns a one-time link that signs the host's admin in.
func (a *Server) SignInLink() (string, error) {
	p, err := a.Accounts.HostAdmin(a.ctx)
	if err != nil {
		return "", err
	}
	secret, err := a.Accounts.NewSignInLink(a.ctx, p.ID)
	return a.publicURL + "/signin/" + secret, err
}

// AdminToken returns an API token that acts as the host's admin.
func (a *Server) AdminToken(name string, life time.Duration) (string, error) {
	p, err := a.Accounts.HostAdmin(a.ctx)
	if err != nil {
		return "", err
	}
	actor := account.ActorOf(p)
	actor.Kind = "system"
	token, _, err := a.Accounts.CreateToken(a.ctx, actor, p.ID, name, domain.ScopeAll, life)
	return token, err
}
