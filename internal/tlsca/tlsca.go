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
	opts  Options
	caPEM []byte // what a participant trusts; nil when public
	pin   string

	mu      sync.Mutex
	current *tls.Certificate
	checked time.Time // when the files or the validity were last looked at
	source  source
}

// source makes or reads certificates; cert may return the current one unchanged.
type source interface {
	cert(now time.Time, current *tls.Certificate) (*tls.Certificate, error)
}

// Open loads the identity, making what is missing. It returns an [domain.Invalid] error for given files that cannot serve:
// unreadable, not belonging together, or of a private CA whose certificate is not in the chain file.
func Open(o Options) (*Authority, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	a := &Authority{opts: o}
	var ca []byte
	var err error
	if o.CertFile != "" {
		a.source, ca, err = openFiles(o)
	} else {
		a.source, ca, err = openOwn(o)
	}
	if err != nil {
		return nil, err
	}
	a.setTrust(ca)
	_, err = a.certificate(nil)
	return a, err
}

func (a *Authority) setTrust(caDER []byte) {
	if a.opts.Public || caDER == nil {
		a.pin = PublicPin
		return
	}
	a.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	a.pin = PinOf(caDER)
}

// PinOf returns the pin of a CA certificate: the hex SHA-256 of its DER.
func PinOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Pin returns the hex SHA-256 of the CA certificate's DER, or [PublicPin].
func (a *Authority) Pin() string { return a.pin }

// CAPEM returns the CA certificate that participants trust, in PEM; nil when the pin is [PublicPin].
func (a *Authority) CAPEM() []byte { return a.caPEM }

// TLSConfig returns a configuration for servers, HTTP/2 included. The certificate behind it renews itself.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: a.certificate,
	}
}

// checkEvery is how often a handshake looks whether the certificate needs renewal or its file has changed.
const checkEvery = time.Minute

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
	return next, nil
}
