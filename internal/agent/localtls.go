package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"

	"blossomtune/internal/domain"
)

// local is how the SuperNode and the agent know each other on this machine: a key that the SuperNode signs with, and a
// certificate that the agent shows it. Both are made anew at each start and are worth nothing to the server. Without them any
// user of this machine could speak as this SuperNode.
type local struct {
	fingerprint string // of the SuperNode's local key
	tls         *tls.Config
}

func (h home) localCA() string  { return h.file("local_ca.pem") }
func (h home) localKey() string { return h.file("local_key") }

func makeLocal(h home) (local, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return local{}, err
	}
	block, err := ssh.MarshalPrivateKey(key, "local")
	if err != nil {
		return local{}, err
	}
	if err := writeFile(h.localKey(), pem.EncodeToMemory(block), 0o600); err != nil {
		return local{}, err
	}
	_, fingerprint, err := domain.NodeKeyPEM(&key.PublicKey)
	if err != nil {
		return local{}, err
	}
	ca, cert, err := localCertificate()
	if err != nil {
		return local{}, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	return local{fingerprint: fingerprint, tls: conf}, writeFile(h.localCA(), ca, os.FileMode(0o600))
}

// localCertificate makes a CA for one certificate of 127.0.0.1, and forgets the CA's key.
func localCertificate() (caPEM []byte, cert tls.Certificate, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, err
	}
	// This machine's clock may be wrong, and may be set right meanwhile.
	from, until := time.Now().AddDate(-2, 0, 0), time.Now().AddDate(10, 0, 0)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "blossomtune agent, this machine only"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: from, NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, caKey.Public(), caKey)
	if err != nil {
		return nil, cert, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), caKey)
	if err != nil {
		return nil, cert, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), tls.Certificate{Certificate: [][]byte{leafDER, rootDER}, PrivateKey: key}, nil
}
