package tlsca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

const (
	caLife     = 20 * 365 * 24 * time.Hour // participants pin it, so it outlives the federation
	serverLife = 180 * 24 * time.Hour
	renewLeft  = 60 * 24 * time.Hour // what is left when the server certificate is renewed
	backdate   = time.Hour           // for clocks of participants that are behind
)

// own is our CA and the server certificates it signs, all in one directory.
type own struct {
	dir   string
	hosts []string
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	next  *x509.Certificate // the CA to be, see [Rotate]; nil for none
}

func openOwn(o Options) (source, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the certificate directory: %w", err)
	}
	s := &own{dir: o.Dir, hosts: withLocal(o.Hosts)}
	if err := finishPromotion(o.Dir); err != nil {
		return nil, err
	}
	ca, key, err := readPair(filepath.Join(o.Dir, "ca.pem"), filepath.Join(o.Dir, "ca.key"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if ca, key, err = s.makeCA(o.Clock()); err != nil {
			return nil, fmt.Errorf("making the CA: %w", err)
		}
	case err != nil:
		return nil, domain.Errorf(domain.Invalid, "The CA in %s cannot be read.", o.Dir).
			Fix("Restore ca.pem and ca.key from a backup. Removing both makes a new CA, and every participant has to join again.").Because(err)
	}
	s.ca, s.key = ca, key
	return s, nil
}

func (s *own) roots() [][]byte {
	if s.next != nil {
		return [][]byte{s.ca.Raw, s.next.Raw}
	}
	return [][]byte{s.ca.Raw}
}

func withLocal(hosts []string) []string {
	out := []string{"localhost", "127.0.0.1", "::1"}
	for _, h := range hosts {
		if h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func (s *own) makeCA(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	// A half-made CA (key without certificate) has never been handed out, so it is made anew; a certificate without its key has.
	if _, err := os.Stat(filepath.Join(s.dir, "ca.pem")); err == nil {
		return nil, nil, domain.Errorf(domain.Invalid, "The CA's key, ca.key, is missing in %s.", s.dir).
			Fix("Restore it from a backup. Removing ca.pem makes a new CA, and every participant has to join again.")
	}
	return newCA(s.dir, "ca", now)
}

// newCA makes a CA and writes it under a name.
func newCA(dir, name string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: fmt.Sprintf("BlossomTune CA %x", serial.Bytes()[:4])},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	if err := writePair(dir, name, der, key); err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	return ca, key, err
}

// cert returns the current or stored certificate while it has time left and names all hosts, else a new one.
func (s *own) cert(now time.Time, current *tls.Certificate) (*tls.Certificate, error) {
	if err := s.lookForNext(now); err != nil {
		return nil, err
	}
	if current != nil && s.serves(current.Leaf, now) {
		return current, nil
	}
	leaf, key, err := readPair(filepath.Join(s.dir, "server.pem"), filepath.Join(s.dir, "server.key"))
	if err != nil || !s.serves(leaf, now) {
		if leaf, key, err = s.makeServer(now); err != nil {
			return nil, fmt.Errorf("making the server certificate: %w", err)
		}
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, s.ca.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func (s *own) serves(leaf *x509.Certificate, now time.Time) bool {
	if leaf.CheckSignatureFrom(s.ca) != nil || now.Before(leaf.NotBefore) || now.After(leaf.NotAfter.Add(-renewLeft)) {
		return false
	}
	for _, h := range s.hosts {
		if leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return true
}

func (s *own) makeServer(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "BlossomTune"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(serverLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range s.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, s.ca, key.Public(), s.key)
	if err != nil {
		return nil, nil, err
	}
	if err := writePair(s.dir, "server", der, key); err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return leaf, key, err
}

func serialNumber() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and always 16 bytes long
	return new(big.Int).SetBytes(b), nil
}

// writePair writes the key before the certificate: a certificate on disk always has its key.
func writePair(dir, name string, der []byte, key *ecdsa.PrivateKey) error {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		0o600); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// writeFile replaces a file in one step, so that a reader or a crash never sees half of it.
func writeFile(path string, data []byte, mode os.FileMode) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// readPair reads a certificate and its key; fs.ErrNotExist means that one of the files is missing.
func readPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s holds no ECDSA key", keyFile)
	}
	return pair.Leaf, key, nil
}
