package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/doctor"
	"blossomtune/internal/filelock"
	"blossomtune/internal/store/storetest"
)

// look returns what is found of one part.
func look(t *testing.T, c config.Config, part string) doctor.Finding {
	t.Helper()
	for _, f := range doctor.Server(context.Background(), c, time.Now) {
		if f.Part == part {
			if f.State != doctor.OK && f.Remedy == "" {
				t.Errorf("%s: %q has no remedy", part, f.Says)
			}
			return f
		}
	}
	t.Fatalf("nothing is said of %s", part)
	return doctor.Finding{}
}

func expect(t *testing.T, c config.Config, part string, state doctor.State, words string) {
	t.Helper()
	if f := look(t, c, part); f.State != state || !strings.Contains(f.Says, words) {
		t.Errorf("%s: %s %q, want %s with %q", part, f.State, f.Says, state, words)
	}
}

// closed is an address on which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestWhatIsFoundOfAServer(t *testing.T) {
	data := t.TempDir()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ready\n")) }))
	defer up.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the Python environment is being prepared", http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	at := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	c := config.Config{Data: data, Database: "sqlite:" + filepath.Join(data, "blossomtune.db"), Listen: closed(t)}

	expect(t, c, "database", doctor.Failure, "missing or empty")
	expect(t, c, "server", doctor.Warning, "not running")
	expect(t, c, "mail", doctor.Warning, "outbox")
	expect(t, c, "public address", doctor.Warning, "--listen")
	storetest.Open(t, c.Database)
	expect(t, c, "database", doctor.OK, "SQLite")

	lock, err := filelock.Take(filepath.Join(data, "server.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	expect(t, c, "server", doctor.Failure, "does not respond")
	c.Listen = at(busy)
	expect(t, c, "server", doctor.Failure, "being prepared")
	c.Listen = at(up)
	expect(t, c, "server", doctor.OK, "ready at")

	host, port, _ := net.SplitHostPort(closed(t))
	c.Mail.Host = host
	c.Mail.Port = number(port)
	expect(t, c, "mail", doctor.Failure, "does not respond")
	_, port, _ = net.SplitHostPort(at(up))
	c.Mail.Port = number(port)
	expect(t, c, "mail", doctor.OK, "responds")
	c.PublicURL = "https://" + closed(t)
	expect(t, c, "public address", doctor.Warning, "cannot be reached")
	c.PublicURL = "http://" + at(up) + "/x"
	expect(t, c, "public address", doctor.OK, "accepts")

	c.Data = filepath.Join(data, "none")
	expect(t, c, "data directory", doctor.Failure, "does not exist")
}

func number(s string) (n int) {
	for _, r := range s {
		n = 10*n + int(r-'0')
	}
	return n
}

func TestTheEndOfACertificate(t *testing.T) {
	c := config.Config{Data: t.TempDir(), Listen: "127.0.0.1:1"}
	expect(t, c, "certificate", doctor.OK, "first start")
	c.TLSCert = filepath.Join(c.Data, "cert.pem")
	expect(t, c, "certificate", doctor.Failure, "cannot be read")
	write := func(text []byte) {
		if err := os.WriteFile(c.TLSCert, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte("?"))
	expect(t, c, "certificate", doctor.Failure, "does not contain")
	for _, ends := range []struct {
		in    time.Duration
		state doctor.State
		words string
	}{{-time.Hour, doctor.Failure, "expired"}, {24 * time.Hour, doctor.Warning, "expires on"}, {90 * 24 * time.Hour, doctor.OK,
		"valid until"}} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends.in)}
		der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		expect(t, c, "certificate", ends.state, ends.words)
	}
	c.BehindProxy = true
	expect(t, c, "certificate", doctor.OK, "proxy")
}

// A password in the database's address, and those of mail, are said nowhere.
func TestNoSecretIsSaid(t *testing.T) {
	const secret = "s3cr3tword"
	c := config.Config{Data: t.TempDir(), Listen: closed(t), Database: "postgres://me:" + secret + "@" + closed(t) + "/db"}
	c.Mail.Host, c.Mail.Password, c.Mail.Port = "127.0.0.1", secret, 1
	for _, f := range doctor.Server(context.Background(), c, time.Now) {
		if strings.Contains(f.Says+f.Remedy, secret) {
			t.Errorf("%s says the password: %s %s", f.Part, f.Says, f.Remedy)
		}
	}
	expect(t, c, "database", doctor.Failure, "PostgreSQL")
	c.Database = "postgres://me:" + secret + "@x@y/db?sslmode=maybe"
	if f := look(t, c, "database"); f.State != doctor.Failure || strings.Contains(f.Says+f.Remedy, secret) {
		t.Errorf("%+v", f)
	}
}
