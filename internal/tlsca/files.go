package tlsca

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"time"

	"blossomtune/internal/domain"
)

// files is a certificate that somebody else renews in place, such as an ACME client.
type files struct {
	certFile, keyFile string
	ca                []byte    // of a private CA
	stamp             time.Time // newest modification of the two when they were last read
}

func openFiles(o Options) (source, error) {
	pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The certificate %s and the key %s cannot be used together.", o.CertFile, o.KeyFile).
			Fix("Give a PEM chain file and its PEM key file, both readable by the server.").Because(err)
	}
	s := &files{certFile: o.CertFile, keyFile: o.KeyFile}
	if o.Public || trustedBySystem(pair, o.Clock()) {
		return s, nil
	}
	ca := rootOf(pair)
	if ca == nil {
		return nil, domain.Errorf(domain.Invalid, "The certificate in %s is of a private CA, and the CA's own certificate is not in that file.",
			o.CertFile).
			Fix("Append the CA's (self-signed) certificate to the file: participants need it to check this server.")
	}
	s.ca = ca.Raw
	return s, nil
}

func (s *files) roots() [][]byte {
	if s.ca == nil {
		return nil
	}
	return [][]byte{s.ca}
}

func trustedBySystem(pair tls.Certificate, now time.Time) bool {
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: now})
	return err == nil
}

// rootOf returns the chain's self-signed certificate: OpenSSL, and so a SuperNode, takes only such a one as a root.
func rootOf(pair tls.Certificate) *x509.Certificate {
	for i := len(pair.Certificate) - 1; i >= 0; i-- {
		c, err := x509.ParseCertificate(pair.Certificate[i])
		if err == nil && string(c.RawIssuer) == string(c.RawSubject) &&
			c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return c
		}
	}
	return nil
}

func (s *files) cert(_ time.Time, current *tls.Certificate) (*tls.Certificate, error) {
	stamp, err := newest(s.certFile, s.keyFile)
	if err != nil {
		return nil, err
	}
	if current != nil && stamp.Equal(s.stamp) {
		return current, nil
	}
	pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
	if err != nil {
		return nil, err
	}
	s.stamp = stamp
	return &pair, nil
}

func newest(paths ...string) (time.Time, error) {
	var t time.Time
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return t, err
		}
		if st.ModTime().After(t) {
			t = st.ModTime()
		}
	}
	return t, nil
}
