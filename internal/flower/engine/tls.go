package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/flower/launcher"
)

// The SuperLink's certificate is only for loopback. Its CA's key is thrown away when it has signed the one certificate, so
// there is nothing to steal with which to make another.
const (
	caFile   = "ca.pem"
	certFile = "server.pem"
	keyFile  = "server.key"
	certLife = 20 * 365 * 24 * time.Hour
)

func ensureTLS(fedDir string, now time.Time) error {
	dir := filepath.Join(fedDir, tlsName)
	if _, err := loadRoots(fedDir); err == nil {
		if _, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile)); err == nil {
			return nil
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files, err := makeCertificates(now)
	if err != nil {
		return fmt.Errorf("making the SuperLink's certificate: %w", err)
	}
	for _, name := range []string{keyFile, certFile, caFile} {
		if err := launcher.WriteFile(filepath.Join(dir, name), files[name]); err != nil {
			return fmt.Errorf("writing the SuperLink's certificate: %w", err)
		}
	}
	return nil
}

func makeCertificates(now time.Time) (map[string][]byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "BlossomTune engine"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(certLife),
		IsCA:     true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: ca.NotBefore,
		NotAfter: ca.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return map[string][]byte{caFile: block("CERTIFICATE", caDER), certFile: block("CERTIFICATE", leafDER),
		keyFile: block("PRIVATE KEY", keyDER)}, nil
}

func loadRoots(fedDir string) (*x509.CertPool, error) {
	b, err := launcher.ReadFile(filepath.Join(fedDir, tlsName, caFile), maxFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("the SuperLink's CA certificate cannot be read")
	}
	return pool, nil
}

// ensureSecret returns the secret with which the launcher signs; the SuperLink reads the same file's bytes.
func ensureSecret(fedDir string) ([]byte, error) {
	path := filepath.Join(fedDir, secretName)
	if b, err := launcher.ReadFile(path, maxFile); err == nil && len(b) >= 32 {
		return b, nil
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	secret := []byte(hex.EncodeToString(raw))
	if err := launcher.WriteFile(path, secret); err != nil {
		return nil, fmt.Errorf("writing the launcher's secret: %w", err)
	}
	return secret, nil
}
