package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/receipt"
)

// verify says by its exit code whether a file is the receipt's, the receipt was changed, or another key signed it. It needs nothing
// but the two files.
func TestVerifyTellsByItsExitCode(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	model, changed := write("model.npz", "weights"), write("changed.npz", "weights.")
	sum := sha256.Sum256([]byte("weights"))
	server, err := receipt.OpenSigner(filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := receipt.OpenSigner(filepath.Join(dir, "stranger"))
	if err != nil {
		t.Fatal(err)
	}
	st := receipt.Statement{Subject: []receipt.Subject{{Name: "artifact/model.npz", Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}}}, Predicate: receipt.Run{Run: "cnn-1", State: "completed"}}
	sign := func(s *receipt.Signer) string {
		text, err := s.Sign(st)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	good, forged := write("good.json", sign(server)), write("forged.json", sign(stranger))
	broken := write("broken.json", strings.Replace(sign(server), `"payload":"ey`, `"payload":"eg`, 1))
	key := write("key.pem", server.PublicKey())
	for name, c := range map[string]struct {
		cmd  verifyCmd
		want int
	}{
		"good":                       {verifyCmd{model, good, ""}, 0},
		"good, by key":               {verifyCmd{model, good, key}, 0},
		"good, by the key's id":      {verifyCmd{model, good, server.KeyID()}, 0},
		"changed file":               {verifyCmd{changed, good, key}, exitNotIn},
		"changed receipt":            {verifyCmd{model, broken, key}, exitChanged},
		"changed receipt, no key":    {verifyCmd{model, broken, ""}, exitChanged},
		"no receipt":                 {verifyCmd{model, model, ""}, exitChanged},
		"another's key":              {verifyCmd{model, forged, key}, exitAnotherKey},
		"another's key, by id":       {verifyCmd{model, forged, server.KeyID()}, exitAnotherKey},
		"a key that cannot be read":  {verifyCmd{model, good, model}, 1},
		"a file that is not there":   {verifyCmd{filepath.Join(dir, "no"), good, key}, 1},
		"no receipt at this address": {verifyCmd{model, filepath.Join(dir, "no"), key}, 1},
	} {
		err := c.cmd.Run()
		got := 0
		if err != nil {
			got = exitCode(err)
		}
		if got != c.want {
			t.Errorf("%s: exit code %d (%v), want %d", name, got, err, c.want)
		}
	}
}
