// Package tlsca gives the server its TLS identity: a certificate of its own small CA, made at first start and renewed by itself,
// or certificate files that somebody else looks after. It also gives the pin by which an agent knows the server before it sends a secret.
package tlsca

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// PublicPin is the pin of an address whose certificate every machine trusts already.
const PublicPin = "public"

// Options say where the certificate comes from.
type Options struct {
	Dir      string       // of ca.pem, ca.key, server.pem and server.key; made if missing, mode 0700
	Hosts    []string     // public names and addresses of this server; localhost, 127.0.0.1 and ::1 are added
	CertFile string       // given chain (PEM), instead of our own CA; with KeyFile
	KeyFile  string       // its private key (PEM)
	Public   bool         // participants reach us under a publicly trusted certificate, ours or a proxy's
	Clock    domain.Clock // time.Now if nil
}

// Authority holds the server's certificate and what participants need to check it. It is safe for concurrent use.
type Authority struct {
	opts Options

	mu      sync.Mutex
	caPEM   []byte // what a participant trusts; nil when public
	pin     string
	current *tls.Certificate
	checked time.Time // when the files or the validity were last looked at
	source  source
}

// source makes or reads certificates; cert may return the current one unchanged.
type source interface {
	cert(now time.Time, current *tls.Certificate) (*tls.Certificate, error)
	// roots are the CA certificates (DER) to trust, the one behind cert first; none where every machine trusts it already.
	roots() [][]byte
}

// Open loads the identity, making what is missing. It returns an [domain.Invalid] error for given files that cannot serve:
// unreadable, not belonging together, or of a private CA whose certificate is not in the chain file.
func Open(o Options) (*Authority, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	a := &Authority{opts: o}
	var err error
	if o.CertFile != "" {
		a.source, err = openFiles(o)
	} else {
		a.source, err = openOwn(o)
	}
	if err != nil {
		return nil, err
	}
	_, err = a.certificate(nil)
	return a, err
}

func (a *Authority) setTrust(roots [][]byte) {
	a.pin, a.caPEM = PublicPin, nil
	if a.opts.Public || len(roots) == 0 {
		return
	}
	a.pin = PinOf(roots[0])
	for _, der := range roots {
		a.caPEM = append(a.caPEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
}

// PinOf returns the pin of a CA certificate: the hex SHA-256 of its DER.
func PinOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Pin returns the hex SHA-256 of the CA certificate's DER, or [PublicPin].
func (a *Authority) Pin() string {
	_, _ = a.certificate(nil) // takes over what has changed; an old one goes on
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pin
}

// CAPEM returns the CA certificates that participants trust, in PEM; nil when the pin is [PublicPin]. There are two while the CA is
// being replaced: the present one first, then the next.
func (a *Authority) CAPEM() []byte {
	_, _ = a.certificate(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.caPEM
}

// TLSConfig returns a configuration for servers, HTTP/2 included. The certificate behind it renews itself.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: a.certificate,
	}
}

// checkEvery is how often a handshake looks whether the certificate needs renewal or its file has changed.
const checkEvery = 10 * time.Second

// certificate gives the current certificate; a failed renewal leaves the old one in use.
func (a *Authority) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.opts.Clock()
	if a.current != nil && now.Sub(a.checked) < checkEvery && now.After(a.checked.Add(-checkEvery)) {
		return a.current, nil
	}
	a.checked = now
	next, err := a.source.cert(now, a.current)
	if err != nil {
		if a.current != nil {
			return a.current, nil
		}
		return nil, err
	}
	a.current = next
	a.setTrust(a.source.roots())
	return next, nil
}
