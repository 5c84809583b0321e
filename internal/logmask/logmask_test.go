package logmask

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

var (
	own  = strings.Repeat("0a1b2c", 8) // 48 hexadecimal digits
	pin  = strings.Repeat("ab", 32)
	hf   = "hf_" + strings.Repeat("aB3d", 8)
	gh   = "ghp_" + strings.Repeat("Zz9y", 9)
	aws  = "AKIA" + "IOSFODNN7EXAMPLE"
	long = strings.Repeat("x9Y_", 12)
)

func one(line string) string {
	var m Masker
	return string(m.Line(nil, []byte(line)))
}

func TestEveryShapeIsMasked(t *testing.T) {
	for _, c := range []struct{ line, secret, want string }{
		{"token bt_" + own, own, "token bt_[masked]"},
		{"blossomtune join https://fl.example.org --token " + pin + ".0123456789abcdef." + own, own, "blossomtune join https://fl.example.org --token " + pin + ".0123456789abcdef.[masked]"},
		{"open https://fl.example.org/signin/" + own + " now", own, "open https://fl.example.org/signin/[masked] now"},
		{"\x1b[92m" + own + "\x1b[0m", own, "\x1b[92m[masked]\x1b[0m"},
		{own + " " + own, own, "[masked] [masked]"},
		{"login(token='" + hf + "')", hf, "login(token='hf_[masked]')"},
		{"\x1b[92m" + hf, hf, "\x1b[92mhf_[masked]"},
		{"git clone https://" + gh + "@github.com/x/y", gh, "git clone https://ghp_[masked]@github.com/x/y"},
		{"gho_" + strings.Repeat("a", 36), strings.Repeat("a", 36), "gho_[masked]"},
		{"github_pat_" + long, long, "github_pat_[masked]"},
		{"key " + aws + ".", aws, "key AKIA[masked]."},
		{"aws_secret_access_key = " + strings.Repeat("aB/+", 10), "aB/+aB", "aws_secret_access_key = [masked]"},
		{"Authorization: Bearer " + long, long, "Authorization: Bearer [masked]"},
		{"authorization: bearer short, next: x", "short", "authorization: bearer [masked], next: x"},
		{"{'Authorization': 'Bearer abc', 'Accept': '*/*'}", "abc", "{'Authorization': '[masked]', 'Accept': '*/*'}"},
		{`{"authorization":"Basic dXNlcjpwYXNz","a":1}`, "dXNlcjpwYXNz", `{"authorization":"[masked]","a":1}`},
		{"(b'authorization', b'Basic dXNlcjpwYXNz')", "dXNlcjpwYXNz", "(b'authorization', b'[masked]')"},
		{`curl -H "Authorization: token abcdef" https://x`, "abcdef", `curl -H "Authorization: token [masked]" https://x`},
		{`Authorization: Digest username="ada", response="6629fae49393a05397450978507c4ef1"`, "6629fae49393a05397450978507c4ef1", "Authorization: [masked]"},
		{"PROXY-AUTHORIZATION=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz", "PROXY-AUTHORIZATION=Basic [masked]"},
		{"sent Bearer " + long + " along", long, "sent Bearer [masked] along"},
		{"flwr-signature: MGUCMQDx+/==", "MGUCMQDx", "flwr-signature: [masked]"},
		{"index https://ada:secret@pypi.example.org/simple", "secret", "index https://ada:[masked]@pypi.example.org/simple"},
	} {
		got := one(c.line)
		if got != c.want || strings.Contains(got, c.secret) {
			t.Errorf("%q\n became %q\n want   %q", c.line, got, c.want)
		}
	}
}

func TestWhatIsNoSecretStays(t *testing.T) {
	for _, line := range []string{
		"", "\x1b[92mINFO \x1b[0m:      [ROUND 1/3]", "sha256 " + strings.Repeat("ab", 32), "sha1 " + strings.Repeat("0f", 20), "sha384 " + strings.Repeat("0f", 48),
		"from transformers import hf_hub_download_helper", "ghp_short", "authorization failed for partition 3", "a bearer of good news", "AKIA is a prefix",
		"GET https://fl.example.org:8443/a/b?c=@d", "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "Aggregated MetricRecord: {'train_loss': 0.25}", "flwr-serverapp started",
	} {
		if got := one(line); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func privateKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func many(text string) string {
	var m Masker
	var out []string
	for l := range strings.SplitSeq(text, "\n") {
		out = append(out, string(m.Line(nil, []byte(l))))
	}
	return strings.Join(out, "\n")
}

// body returns the key's own lines.
func body(key string) []string {
	lines := strings.Split(strings.TrimSpace(key), "\n")
	return lines[1 : len(lines)-1]
}

func TestAPrivateKeyIsMaskedOverItsLines(t *testing.T) {
	key := privateKey(t)
	forms := map[string]string{
		"plain":       "before\n" + key + "after",
		"logged":      "before\nINFO :      " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\nINFO :      ") + "\nafter",
		"on one line": "before\nkey=" + strings.ReplaceAll(key, "\n", `\n`) + "\nafter",
		"windows":     "before\n" + strings.ReplaceAll(key, "\n", "\r\n") + "after",
		"interleaved": "before\n" + strings.Replace(key, "\n", "\nINFO :      [ROUND 1/3]\n", 1) + "after",
		"two":         "before\n" + key + key + "after",
	}
	for name, text := range forms {
		got := many(text)
		for _, l := range body(key) {
			if strings.Contains(got, l) || len(l) > 20 && strings.Contains(got, l[:16]) {
				t.Errorf("%s: %q is left of the key:\n%s", name, l, got)
			}
		}
		if !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "\nafter") {
			t.Errorf("%s: what stands around the key changed:\n%s", name, got)
		}
		if name == "interleaved" && !strings.Contains(got, "INFO :      [ROUND 1/3]") {
			t.Errorf("%s: another's line is lost:\n%s", name, got)
		}
	}
}

// A key's first line is often all there is of it: in a message about keys, or where a process died. What follows is not the key's.
func TestAKeyWithoutAnEndHidesNothingElse(t *testing.T) {
	lines := []string{"done", "training", "INFO :      [ROUND 1/3]", "loaded /home/ada/projects/federation/data/partition0/train", "sha256 " + strings.Repeat("ab", 32), strings.Repeat("0f", 20),
		"Aggregated MetricRecord: {'train_loss': 0.25}", "https://fl.example.org/f/cardio/runs/cnn-12", "", "a", "epochs=10"}
	ordinary := strings.Repeat(strings.Join(lines, "\n")+"\n", 50)
	if got := many("-----BEGIN PRIVATE KEY-----\n" + ordinary); got != "-----BEGIN PRIVATE KEY-----\n"+ordinary {
		t.Errorf("lines after a key's first line changed:\n%s", got)
	}
	if got := many("no -----BEGIN RSA PRIVATE KEY----- in key.pem\n" + ordinary); !strings.HasSuffix(got, "\n"+ordinary) || strings.Contains(got, "key.pem") {
		t.Errorf("lines after a message about keys changed:\n%s", got)
	}
	key := privateKey(t)
	broken := strings.Join(strings.Split(key, "\n")[:3], "\n") + "\n"
	if got := many(broken + "loaded\n" + ordinary); !strings.HasSuffix(got, "\nloaded\n"+ordinary) {
		t.Errorf("lines after a broken key changed:\n%s", got)
	}
	row := body(key)[0] + "\n"
	if got := many("-----BEGIN PRIVATE KEY-----\n" + strings.Repeat(row, keyLines+1)); strings.Count(got, row) != 1 {
		t.Errorf("%d of %d lines like a key's are masked", keyLines+1-strings.Count(got, row), keyLines+1)
	}
	if got := many(broken + key + "after"); strings.Contains(got, body(key)[2][:16]) || !strings.HasSuffix(got, "\nafter") {
		t.Errorf("a key after a broken one:\n%s", got)
	}
}

func TestAKeyThatBeginsInASkippedPart(t *testing.T) {
	var m Masker
	m.Skipped([]byte("xxxxx-----BEGIN EC PRIVATE KEY-----"))
	if got := string(m.Line(nil, []byte(strings.Repeat("MIIEvQIB", 8)))); got != Masked {
		t.Errorf("the next line is %q", got)
	}
	m.Skipped([]byte("-----END EC PRIVATE KEY-----"))
	if got := string(m.Line(nil, []byte(strings.Repeat("MIIEvQIB", 8)))); got != strings.Repeat("MIIEvQIB", 8) {
		t.Errorf("after its end a line is %q", got)
	}
}

// FuzzLine puts secrets between anything: none may be left, and masking twice is masking once.
func FuzzLine(f *testing.F) {
	f.Add([]byte("INFO : "), []byte(" done"))
	f.Add([]byte("Authorization: '"), []byte("'\" x"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----"), []byte("://a:b@c"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		if bytes.ContainsAny(before, "\n") || bytes.ContainsAny(after, "\n") {
			return
		}
		for _, secret := range []string{own, hf, gh, aws} {
			line := slicesJoin(before, []byte(" "+secret+" "), after)
			var m Masker
			got := m.Line(nil, line)
			if bytes.Contains(got, []byte(secret)) {
				t.Fatalf("%q became %q", line, got)
			}
		}
		var m Masker
		m.Line(nil, before)
		m.Line(nil, after)
		m.Skipped(after)
	})
}

func slicesJoin(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// BenchmarkLine tells how many lines a second one core masks: as good as all hold nothing secret.
func BenchmarkLine(b *testing.B) {
	line := []byte("\x1b[92mINFO \x1b[0m:      aggregate_train: Received 2 results and 0 failures, batch 4711 after 0.25 s")
	for _, c := range []struct {
		name string
		line []byte
	}{{"plain", line}, {"secret", []byte(fmt.Sprintf("%s %s", line, hf))}} {
		b.Run(c.name, func(b *testing.B) {
			var m Masker
			var dst []byte
			b.SetBytes(int64(len(c.line)))
			for b.Loop() {
				dst = m.Line(dst[:0], c.line)
			}
		})
	}
}

func TestWriterMasksWholeLines(t *testing.T) {
	var got bytes.Buffer
	w := NewWriter(&got)
	for _, text := range []string{"level=INFO msg=\"token bt_" + own + "\"\n", "one\ntwo " + hf + "\n"} {
		if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "level=INFO msg=\"token bt_[masked]\"\none\ntwo hf_[masked]\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestTextKeepsItsLines(t *testing.T) {
	if got, want := Text("one "+hf+"\n\nAuthorization: Bearer abc\n"), "one hf_[masked]\n\nAuthorization: Bearer [masked]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
