package tlsca

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

func TestOwnCAIsMadeOnceAndPinned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	a := open(t, Options{Dir: dir, Hosts: []string{"fl.example.org", "192.0.2.7"}})
	b := open(t, Options{Dir: dir, Hosts: []string{"fl.example.org", "192.0.2.7"}})
	if a.Pin() != b.Pin() || len(a.Pin()) != 64 {
		t.Fatalf("pins %q and %q", a.Pin(), b.Pin())
	}
	for _, name := range []string{"fl.example.org", "192.0.2.7", "localhost", "127.0.0.1", "::1"} {
		handshake(t, a, b.CAPEM(), name)
	}
	for _, f := range []string{"ca.key", "server.key"} {
		st, err := os.Stat(filepath.Join(dir, f))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v %v", f, st, err)
		}
	}
}

func TestServerCertificateRenewsItself(t *testing.T) {
	now := time.Now()
	a := open(t, Options{Dir: t.TempDir(), Clock: func() time.Time { return now }})
	first := handshake(t, a, a.CAPEM(), "localhost")
	now = now.Add(serverLife - renewLeft + time.Hour)
	second := handshake(t, a, a.CAPEM(), "localhost")
	if first.SerialNumber.Cmp(second.SerialNumber) == 0 {
		t.Fatal("the certificate was not renewed")
	}
}

func TestNewHostMakesNewCertificateButKeepsTheCA(t *testing.T) {
	dir := t.TempDir()
	a := open(t, Options{Dir: dir})
	b := open(t, Options{Dir: dir, Hosts: []string{"fl.example.org"}})
	if a.Pin() != b.Pin() {
		t.Fatal("the CA changed")
	}
	handshake(t, b, a.CAPEM(), "fl.example.org")
}

func TestHalfMadeCA(t *testing.T) {
	dir := t.TempDir()
	a := open(t, Options{Dir: dir})
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); domain.CodeOf(err) != domain.Invalid {
		t.Fatalf("a lost key must be told, got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	if b := open(t, Options{Dir: dir}); a.Pin() == b.Pin() {
		t.Fatal("a new CA has a new pin")
	}
}

func TestGivenFiles(t *testing.T) {
	dir := t.TempDir()
	a := open(t, Options{Dir: dir})
	chain, _ := os.ReadFile(filepath.Join(dir, "server.pem"))
	certFile, keyFile := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "server.key")
	write := func(b []byte) {
		if err := os.WriteFile(certFile, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(chain)
	if _, err := Open(Options{CertFile: certFile, KeyFile: keyFile}); domain.CodeOf(err) != domain.Invalid {
		t.Fatalf("a chain without its private root must be refused, got %v", err)
	}
	write(append(chain, a.CAPEM()...))
	g := open(t, Options{CertFile: certFile, KeyFile: keyFile})
	if g.Pin() != a.Pin() {
		t.Fatalf("pin %s, want %s", g.Pin(), a.Pin())
	}
	handshake(t, g, g.CAPEM(), "localhost")
	p := open(t, Options{CertFile: certFile, KeyFile: keyFile, Public: true})
	if p.Pin() != PublicPin || p.CAPEM() != nil {
		t.Fatalf("public: %q %q", p.Pin(), p.CAPEM())
	}
}

func TestGivenFilesAreReadAgain(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	chain, _ := os.ReadFile(filepath.Join(dir, "server.pem"))
	ca, _ := os.ReadFile(filepath.Join(dir, "ca.pem"))
	certFile, keyFile := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "server.key")
	_ = os.WriteFile(certFile, append(chain, ca...), 0o600)
	g := open(t, Options{CertFile: certFile, KeyFile: keyFile, Clock: func() time.Time { return now }})
	first := handshake(t, g, g.CAPEM(), "localhost")

	open(t, Options{Dir: dir, Hosts: []string{"new.example.org"}}) // renews server.pem and server.key in place
	chain, _ = os.ReadFile(filepath.Join(dir, "server.pem"))
	_ = os.WriteFile(certFile, append(chain, ca...), 0o600)
	_ = os.Chtimes(certFile, now.Add(time.Hour), now.Add(time.Hour))
	now = now.Add(2 * checkEvery)
	if second := handshake(t, g, g.CAPEM(), "new.example.org"); first.SerialNumber.Cmp(second.SerialNumber) == 0 {
		t.Fatal("the renewed file was not read")
	}
}

func open(t *testing.T, o Options) *Authority {
	t.Helper()
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// handshake connects as a participant who trusts caPEM alone, and returns the server's certificate.
func handshake(t *testing.T, a *Authority, caPEM []byte, name string) *x509.Certificate {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caPEM) {
		t.Fatal("no CA")
	}
	cs, ss := net.Pipe()
	defer cs.Close()
	defer ss.Close()
	server := tls.Server(ss, a.TLSConfig())
	go func() { _ = server.Handshake() }()
	client := tls.Client(cs, &tls.Config{RootCAs: roots, ServerName: name, Time: a.opts.Clock})
	if err := client.Handshake(); err != nil {
		t.Fatalf("handshake with %s: %v", name, err)
	}
	return client.ConnectionState().PeerCertificates[0]
}
