//go:build !participant

package doctor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/testflwr"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const gb = 1 << 30

// site is a server on this machine in which nothing is wrong, as far as doctor can see.
type site struct {
	server
	t    *testing.T
	db   *store.DB
	lock *filelock.Lock
	http http.HandlerFunc // what answers at both addresses
}

func healthy(t *testing.T) *site {
	t.Helper()
	data := t.TempDir()
	s := &site{t: t, http: func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(map[string]string{"/readyz": "ready\n", "/healthz": "ok\n"}[r.URL.Path]))
	}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.http(w, r) })
	inside, outside := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(func() { inside.Close(); outside.Close() })
	s.must(os.Chmod(data, 0o700), os.Symlink(filepath.Dir(testflwr.Venv(t).Dir), filepath.Join(data, "python")))
	found := func(context.Context, string) (string, string, error) { return "/usr/bin/python3", "3.12.1", nil }
	s.server = server{clock: time.Now, find: found, imports: func(context.Context, string) error { return nil },
		free: func(string) (uint64, bool, error) { return 100 * gb, true, nil },
		contained: func() contain.Report {
			return contain.Report{System: "linux", Landlock: 7, Seccomp: true, Namespaces: true}
		},
		c: config.Config{Data: data, Database: "sqlite:" + filepath.Join(data, "blossomtune.db"), Listen: inside.Listener.Addr().String(),
			PublicURL: outside.URL}}
	s.c.TLSCert, s.c.TLSKey = s.certificate("127.0.0.1", 90*24*time.Hour)
	s.c.Mail = config.Mail{Host: "127.0.0.1", Port: s.smtp(), User: "server", Password: "right", From: "fl@example.org", TLS: "none"}
	var err error
	s.lock, err = filelock.Take(filepath.Join(data, "server.lock"))
	s.must(err)
	t.Cleanup(func() { _ = s.lock.Release() })
	s.must(os.WriteFile(strings.TrimPrefix(s.c.Database, "sqlite:"), used(t), 0o600))
	s.db, err = store.Open(t.Context(), s.c.Database)
	s.must(err)
	t.Cleanup(func() { s.db.Close() })
	s.backedUp(24 * time.Hour)
	return s
}

var template []byte

// used is the database of a server that has been used for a month. It is migrated once.
func used(t *testing.T) []byte {
	t.Helper()
	if template != nil {
		return template
	}
	path := filepath.Join(t.TempDir(), "used.db")
	db, began := storetest.Open(t, "sqlite:"+path), time.Now().Add(-30*24*time.Hour)
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		admin := domain.Person{Email: "ada@example.org", Admin: true, CreatedAt: began}
		return errors.Join(tx.InsertPerson(t.Context(), &admin), tx.InsertAudit(t.Context(), domain.AuditEntry{At: began, Actor: domain.System,
			Action: "person.created", ObjectKind: "person", ObjectID: "1"}))
	})
	if err == nil {
		db.Close() // which merges the write-ahead log
		template, err = os.ReadFile(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func (s *site) must(errs ...error) {
	s.t.Helper()
	if err := errors.Join(errs...); err != nil {
		s.t.Fatal(err)
	}
}

// certificate writes a certificate for a host that expires after a time, and its key.
func (s *site) certificate(host string, left time.Duration) (certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(left)}
	if ip := net.ParseIP(host); ip != nil {
		form.IPAddresses = []net.IP{ip}
	} else {
		form.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	s.must(err)
	private, err := x509.MarshalECPrivateKey(key)
	s.must(err)
	dir := s.t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	s.must(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}

// login is an SMTP session that accepts one password and no mail.
type login struct{ smtp.Session }

func (login) Reset()                   {}
func (login) Logout() error            { return nil }
func (login) AuthMechanisms() []string { return []string{sasl.Plain} }
func (login) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != "right" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// smtp starts a real SMTP server and returns its port.
func (s *site) smtp() int {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return login{}, nil }))
	srv.AllowInsecureAuth = true
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	go func() { _ = srv.Serve(ln) }()
	s.t.Cleanup(func() { srv.Close() })
	return port(s.t, ln.Addr().String())
}

func port(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	n, bad := strconv.Atoi(text)
	if err != nil || bad != nil {
		t.Fatal(err, bad)
	}
	return n
}

func (s *site) backedUp(ago time.Duration) {
	s.sql("DELETE FROM backup")
	at := time.Now().Add(-ago)
	s.must(backup.Note(s.t.Context(), s.db, domain.System,
		&domain.Backup{Kind: domain.BackupByCommand, StartedAt: at, EndedAt: at, File: "/srv/backup"}))
}

// sql changes the database as no server would.
func (s *site) sql(statement string) {
	db, err := sql.Open("sqlite", strings.TrimPrefix(s.c.Database, "sqlite:"))
	s.must(err)
	defer db.Close()
	_, err = db.ExecContext(s.t.Context(), statement)
	s.must(err)
}

func (s *site) running() {
	s.must(s.db.InTx(s.t.Context(), func(tx *store.Tx) error {
		app := domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("fab"), CreatedAt: time.Now()}
		if err := tx.PutAppVersion(s.t.Context(), app); err != nil {
			return err
		}
		f := domain.Federation{Slug: "fed", Name: "Fed", TotalPartitions: 2}
		if err := tx.InsertFederation(s.t.Context(), &f); err != nil {
			return err
		}
		return tx.InsertRun(s.t.Context(), &domain.Run{Name: "digits-1", FederationID: f.ID, State: domain.Running, AppHash: "h", AppID: "p/n",
			AppVersion: "1", EngineRunID: 1, CreatedAt: time.Now(), StartingAt: time.Now()})
	}))
}

// brokenPython makes an environment whose Python has been removed.
func (s *site) brokenPython() {
	root, name := filepath.Join(s.c.Data, "python"), filepath.Base(testflwr.Venv(s.t).Dir)
	dir := filepath.Join(root, name)
	s.must(os.Remove(root), os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, ".blossomtune-ready"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "pyvenv.cfg"), []byte("home = /usr/bin\nversion = 3.11.2\n"), 0o600))
}

// damage overwrites pages of the database file.
func (s *site) damage() {
	s.db.Close()
	f, err := os.OpenFile(strings.TrimPrefix(s.c.Database, "sqlite:"), os.O_WRONLY, 0)
	s.must(err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, 40*4096), 4096)
	s.must(err, f.Close())
}

// Faults, each seeded into a healthy server, and the parts that doctor must name: all of them, and no other.
var faults = map[string]struct {
	seed  func(s *site)
	parts map[string]string // words of the finding by part
}{
	"data directory open to others": {func(s *site) { s.must(os.Chmod(s.c.Data, 0o777)) }, map[string]string{"data directory": "write"}},
	"disk almost full": {func(s *site) { s.free = func(string) (uint64, bool, error) { return gb / 16, true, nil } },
		map[string]string{"disk": "64 MB"}},
	"port taken": {func(s *site) { s.must(s.lock.Release()) }, map[string]string{"port": "Another program", "server": "not running"}},
	"server stopped": {func(s *site) {
		s.must(s.lock.Release())
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		s.must(err, ln.Close())
		s.c.Listen, s.c.PublicURL = ln.Addr().String(), "http://"+ln.Addr().String()
	}, map[string]string{"server": "not running"}},
	"server not ready": {func(s *site) {
		next := s.http
		s.http = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				http.Error(w, "the Python environment is being prepared", http.StatusServiceUnavailable)
				return
			}
			next(w, r)
		}
	}, map[string]string{"server": "being prepared"}},
	"database damaged": {func(s *site) { s.damage() }, map[string]string{"database": "damaged"}},
	"database missing": {func(s *site) { s.c.Database += ".other" }, map[string]string{"database": "missing"}},
	"database of a newer version": {func(s *site) {
		s.sql("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999999999999, 1)")
	}, map[string]string{"database": "newer version"}},
	"certificate expired": {func(s *site) { s.c.TLSCert, s.c.TLSKey = s.certificate("127.0.0.1", -time.Hour) },
		map[string]string{"certificate": "expired"}},
	"certificate expires soon": {func(s *site) { s.c.TLSCert, s.c.TLSKey = s.certificate("127.0.0.1", 48*time.Hour) },
		map[string]string{"certificate": "expires"}},
	"certificate of other host": {func(s *site) { s.c.TLSCert, s.c.TLSKey = s.certificate("fl.example.org", 900*time.Hour) },
		map[string]string{"certificate": "not valid for 127.0.0.1"}},
	"key of other certificate": {func(s *site) { _, s.c.TLSKey = s.certificate("127.0.0.1", 900*time.Hour) },
		map[string]string{"certificate": "does not belong"}},
	"key readable by all": {func(s *site) { s.must(os.Chmod(s.c.TLSKey, 0o644)) }, map[string]string{"certificate": "Every user"}},
	"no Python": {func(s *site) { s.c.Python, s.find = "/nowhere/python3", python.Find },
		map[string]string{"Python": "does not work"}},
	"environment without its Python": {func(s *site) { s.brokenPython() }, map[string]string{"flwr": "broken"}},
	"Flower cannot be imported": {func(s *site) {
		s.imports = func(context.Context, string) error { return errors.New("ImportError: libfoo.so") }
	}, map[string]string{"flwr": "libfoo"}},
	"Flower not installed": {func(s *site) { s.must(os.Remove(filepath.Join(s.c.Data, "python"))) },
		map[string]string{"flwr": "not installed"}},
	"kernel without Landlock": {func(s *site) {
		s.contained = func() contain.Report { return contain.Report{System: "linux", Seccomp: true, Namespaces: true} }
	}, map[string]string{"containment": "Landlock"}},
	"no containment": {func(s *site) {
		s.contained = func() contain.Report { return contain.Report{System: "darwin", Reason: "This is not Linux."} }
	}, map[string]string{"containment": "not Linux"}},
	"no mail server":          {func(s *site) { s.c.Mail.Port = 1 }, map[string]string{"mail": "does not respond"}},
	"mail password wrong":     {func(s *site) { s.c.Mail.Password = "wrong" }, map[string]string{"mail": "no mail"}},
	"mail server without TLS": {func(s *site) { s.c.Mail.TLS = "starttls" }, map[string]string{"mail": "no mail"}},
	"mail server misspelt":    {func(s *site) { s.c.Mail.Host = "mail.invalid" }, map[string]string{"mail": "cannot be resolved"}},
	"address misspelt": {func(s *site) {
		s.c.PublicURL = "https://nowhere.invalid"
		s.c.TLSCert, s.c.TLSKey = s.certificate("nowhere.invalid", 900*time.Hour)
	}, map[string]string{"public address": "cannot be resolved"}},
	"address of another server": {func(s *site) {
		other := httptest.NewServer(http.NotFoundHandler())
		s.t.Cleanup(other.Close)
		s.c.PublicURL = other.URL
	}, map[string]string{"public address": "Another server"}},
	"clock behind": {func(s *site) {
		s.clock = func() time.Time { return time.Now().Add(-25 * time.Hour) }
	}, map[string]string{"clock": "clock"}},
	"no backup":  {func(s *site) { s.sql("DELETE FROM backup") }, map[string]string{"backups": "No backup"}},
	"old backup": {func(s *site) { s.backedUp(20 * 24 * time.Hour) }, map[string]string{"backups": "20 days"}},
	"scheduled backup late": {func(s *site) {
		s.c.Backup.Daily = "03:00"
		s.backedUp(30 * time.Hour)
	}, map[string]string{"backups": "The last backup that succeeded"}},
	"no admin":               {func(s *site) { s.sql("UPDATE person SET admin = 0") }, map[string]string{"admins": "No one"}},
	"run without a keeper":   {func(s *site) { s.running() }, map[string]string{"runs": "digits-1"}},
	"folder of apps missing": {func(s *site) { s.c.Apps = []string{"/nowhere/apps"} }, map[string]string{"settings": "/nowhere/apps"}},
	"passphrase missing":     {func(s *site) { s.c.Backup.PassphraseFile = "/nowhere/phrase" }, map[string]string{"settings": "phrase"}},
}

func TestEveryFaultIsNamedAndNoneInvented(t *testing.T) {
	s := healthy(t)
	s.find, s.imports = python.Find, imports // once with the real Python
	if all := s.check(t.Context()); Worst(all) != OK || len(all) < 11 {
		t.Errorf("a healthy server: %+v", all)
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			s := healthy(t)
			f.seed(s)
			var named []string
			for _, found := range s.check(t.Context()) {
				if found.State == OK {
					continue
				}
				if words, seeded := f.parts[found.Part]; !seeded || !strings.Contains(found.Says, words) || found.Remedy == "" {
					t.Errorf("%s, %s: %s (%s), want %v", found.State, found.Part, found.Says, found.Remedy, f.parts)
				}
				if !slices.Contains(named, found.Part) {
					named = append(named, found.Part)
				}
			}
			if len(named) != len(f.parts) {
				t.Errorf("named %v, want %v", named, f.parts)
			}
		})
	}
}
