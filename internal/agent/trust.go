package agent

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"blossomtune/internal/domain"
)

// trust returns the CA certificate (PEM) that has the pin, fetched from the server. Nothing secret is sent before it is checked.
// It returns nil for the public pin, and a [domain.Forbidden] error when somebody else answers.
func (s server) trust(ctx context.Context, pin string) ([]byte, error) {
	if pin == publicPin {
		return nil, nil
	}
	body, err := s.fetchCA(ctx)
	if err != nil {
		return nil, err
	}
	for rest := body; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		sum := sha256.Sum256(block.Bytes)
		if block.Type == "CERTIFICATE" && hex.EncodeToString(sum[:]) == pin {
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}), nil
		}
	}
	return nil, domain.Errorf(domain.Forbidden, "%s is not the server that this token was made by: its certificate has another fingerprint.",
		s.base).
		Fix("Nothing was sent. Check the address. If it is right, ask the federation's manager whether the server's CA was replaced, and " +
			"get a new token.")
}

// fetchCA gets what the server says is its CA. The answer is checked against a pin, so the connection need not be: this request
// carries nothing.
func (s server) fetchCA(ctx context.Context) ([]byte, error) {
	hc := newHTTPClient(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the pin is compared instead
	defer hc.CloseIdleConnections()
	body, status, err := get(ctx, hc, s.base.JoinPath("/ca.pem").String())
	if err != nil {
		return nil, s.unreachable(err)
	}
	if status != http.StatusOK {
		return nil, domain.Errorf(domain.Unavailable, "%s does not answer like a BlossomTune server (status %d for /ca.pem).", s.base, status).
			Fix("Check the address; copy the whole command from your status page.")
	}
	return body, nil
}

// newHTTPClient makes a client that follows no redirect: it would carry the token elsewhere.
func newHTTPClient(conf *tls.Config) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: 20 * time.Second, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

func get(ctx context.Context, hc *http.Client, url string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := hc.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return b, res.StatusCode, err
}

// unreachable puts a failed connection into words.
func (s server) unreachable(err error) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return proxyAway(s.proxy()).Because(err)
	case errors.As(err, &host):
		return domain.Errorf(domain.Forbidden, "The certificate of %s is for other names.", s.base).
			Fix("Use the address of your status page exactly. The server's manager sets it with --public-url.").Because(err)
	case errors.As(err, &unknown), errors.As(err, &invalid):
		return domain.Errorf(domain.Forbidden, "The certificate of %s is not trusted.", s.base).
			Fix("Check the address and this machine's date. If both are right, ask the federation's manager for a new token.").Because(err)
	}
	return domain.Errorf(domain.Unavailable, "%s does not answer.", s.base).
		Fix("Check the address, this machine's network and firewall (outgoing TCP to port %s), and whether the server is running; then run the "+
			"same command again.", portOf(s)).Because(err)
}

// proxyAway says that the proxy between this machine and the server is not reached.
func proxyAway(host string) *domain.Error {
	return domain.Errorf(domain.Unavailable, "The proxy %s does not answer.", host).
		Fix("Check HTTPS_PROXY: set it to your organisation's proxy, or unset it if this machine reaches the Internet directly.")
}

func portOf(s server) string {
	if p := s.base.Port(); p != "" {
		return p
	}
	if s.base.Scheme == "http" {
		return "80"
	}
	return "443"
}

// proxy is the host:port of the proxy between this machine and the server; "" for none.
func (s server) proxy() string {
	u, err := http.ProxyFromEnvironment(&http.Request{URL: s.base})
	if err != nil || u == nil {
		return ""
	}
	if u.Port() == "" {
		port := map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
		if port == "" {
			port = "80"
		}
		return net.JoinHostPort(u.Hostname(), port)
	}
	return u.Host
}

// CAOf returns how this machine sees a server: the SHA-256 of the server's own CA with its certificate (PEM), or "public" and nothing where
// this machine's roots vouch for the server. Nothing vouches for the CA until its hash is compared with what the server's admin says.
func CAOf(ctx context.Context, address string) (pin string, caPEM []byte, err error) {
	srv, err := parseServer(address, "")
	if err == nil {
		pin, caPEM, _, err = srv.look(ctx)
	}
	return pin, caPEM, err
}
