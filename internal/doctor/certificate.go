//go:build !participant

package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// certificate checks the server's certificate: it can be read, belongs to its key, names the public address and has not expired.
func (s server) certificate(context.Context) []Finding {
	const part = "certificate"
	if s.c.BehindProxy {
		return []Finding{Good(part, "The reverse proxy handles TLS (--behind-proxy).")}
	}
	path, keyPath, renew := s.c.TLSCert, s.c.TLSKey, "Replace the file. The server reloads it without a restart."
	if path == "" {
		path, keyPath = filepath.Join(s.c.Data, "tls", "server.pem"), filepath.Join(s.c.Data, "tls", "server.key")
		renew = "Delete it and restart the server, which makes another one."
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && s.c.TLSCert == "" {
		return []Finding{Good(part, "The server creates a certificate at its first start.")}
	}
	if err != nil {
		return []Finding{Bad(part, "Check --tls-cert and the file's permissions.", "%s cannot be read: %v.", path, err)}
	}
	cert, err := firstCertificate(text)
	if err != nil {
		return []Finding{Bad(part, renew, "%s does not contain a valid certificate.", path)}
	}
	if f, bad := s.key(part, keyPath, text); bad {
		return []Finding{f}
	}
	if u, err := url.Parse(s.c.PublicURL); err == nil && u.Scheme == "https" && cert.VerifyHostname(u.Hostname()) != nil {
		if s.c.TLSCert == "" {
			renew = "Restart the server, which makes another one."
		}
		return []Finding{Bad(part, renew, "The certificate is not valid for %s, the host of --public-url.", u.Hostname())}
	}
	switch left := cert.NotAfter.Sub(s.clock()); {
	case left <= 0:
		return []Finding{Bad(part, renew, "The certificate expired on %s.", cert.NotAfter.Format(time.DateOnly))}
	case left < certSoon && s.c.TLSCert != "":
		return []Finding{Warn(part, renew, "The certificate expires on %s.", cert.NotAfter.Format(time.DateOnly))}
	case cert.NotBefore.After(s.clock()):
		return []Finding{Bad(part, "Check the clock, or replace the certificate.", "The certificate is not valid before %s.",
			cert.NotBefore.Format(time.DateOnly))}
	}
	return []Finding{Good(part, "The certificate is valid until %s.", cert.NotAfter.Format(time.DateOnly))}
}

// key checks the private key of a certificate.
func (s server) key(part, path string, cert []byte) (f Finding, bad bool) {
	info, err := os.Stat(path)
	if err != nil {
		return Bad(part, "Check --tls-key and the file's permissions.", "The private key %s cannot be read: %v.", path, err), true
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Bad(part, "Check --tls-key and the file's permissions.", "The private key %s cannot be read: %v.", path, err), true
	}
	if _, err := tls.X509KeyPair(cert, text); err != nil {
		return Bad(part, "Replace both files together.", "The private key %s does not belong to the certificate.", path), true
	}
	if info.Mode().Perm()&0o007 != 0 {
		return Bad(part, "Run chmod o= "+path+", and replace the key if others use this machine.", "Every user can read the private key %s.",
			path), true
	}
	return Finding{}, false
}

func firstCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
