//go:build !participant

package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
)

// Secrets are seeded into every setting, finding and log that a bundle is made of. None may be in it.
func TestABundleHoldsNoSecret(t *testing.T) {
	const (
		password = `p4ss"w&rd<longer>`
		database = "d4tabase-w0rd"
		client   = "cl1ent-s3cret"
		token    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.0123456789abcdef.fedcba9876543210fedcba9876543210fedcba9876543210"
		bearer   = "Authorization: Bearer bt_s3cretbearer00112233445566778899"
		link     = "https://fl.example.org/signin/564c9833cf8056464c9417a98647823c465889733dbc2d82"
		key      = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgs3cr3tkey\n-----END PRIVATE KEY-----"
		person   = "ada.lovelace@example.org"
	)
	forbidden := []string{password, database, client, "fedcba9876543210fedcba98", "s3cretbearer", "564c9833cf80", "s3cr3tkey",
		"ada.lovelace", "p4ss"}
	data := t.TempDir()
	c := config.Config{Data: data, Database: "postgres://me:" + database + "@db.example.org/x", Admins: []string{person}, LogLevel: "info"}
	c.Mail.Password, c.Mail.From, c.Mailjet.Secret, c.SignIn.OIDCClientSecret = password, person, client, client
	everything := strings.Join([]string{password, database, client, token, bearer, link, key, person, "mail to " + person + " failed",
		c.Database,
		"a harmless line\n"}, "\n")
	log := func(path, text string) string {
		path = filepath.Join(data, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	log("federations/1/keeper.log", everything)
	// The key of this log begins before the part that is in the bundle.
	log("federations/2/superlink.log", strings.Repeat("x\n", logBefore)+"-----BEGIN PRIVATE KEY-----\n"+strings.Repeat("s3cr3tkey\n", 64)+
		strings.Repeat("A line of the log's end.\n", (logEnd-320)/25)+everything)
	log("federations/1/runs/7/serverapp.log", "what an app printed")
	var out bytes.Buffer
	b := Bundle{Config: c, Version: "1.2.3", Clock: time.Now, Logs: []string{log("agent/supernode.log", everything)},
		Findings: []Finding{Bad("mail", everything, "%s", everything)}, Journal: func(context.Context) []byte { return []byte(everything) }}
	if err := b.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		texts[f.Name] = string(text)
		for _, secret := range forbidden {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds %q", f.Name, secret)
			}
		}
	}
	for name, words := range map[string]string{"findings.json": "a harmless line", "versions.txt": "blossomtune 1.2.3",
		"settings.txt":     "BLOSSOMTUNE_LOG_LEVEL=info",
		"logs/service.log": "a harmless line", "logs/federations/1/keeper.log": "a harmless line", "logs/agent/supernode.log": "a harmless line",
		"logs/federations/2/superlink.log": "a harmless line"} {
		if !strings.Contains(texts[name], words) {
			t.Errorf("%s lacks %q: %.300s", name, words, texts[name])
		}
	}
	if len(texts) != 7 {
		t.Errorf("%d files in the bundle", len(texts))
	}
}
