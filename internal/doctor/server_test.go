package doctor_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/doctor"
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

// Where there is no server yet, nothing is created, and the findings say what is missing.
func TestADirectoryThatDoesNotExist(t *testing.T) {
	data := filepath.Join(t.TempDir(), "none")
	c := config.Config{Data: data, Database: "sqlite:" + filepath.Join(data, "blossomtune.db"), Listen: closed(t), BehindProxy: true}
	expect(t, c, "data directory", doctor.Failure, "does not exist")
	expect(t, c, "database", doctor.Failure, "missing or empty")
	expect(t, c, "mail", doctor.Warning, "outbox")
	expect(t, c, "public address", doctor.Warning, "--listen")
	expect(t, c, "certificate", doctor.OK, "proxy")
	c.BehindProxy = false
	expect(t, c, "certificate", doctor.OK, "first start")
	if _, err := os.Stat(data); err == nil {
		t.Error("doctor created the directory")
	}
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
