package onboarding_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store/storetest"
)

func newKey(t *testing.T) *ecdsa.PrivateKey { return newKeyOf(t, elliptic.P384()) }

func newKeyOf(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// input is what an agent with the key sends for a token.
func input(t *testing.T, key *ecdsa.PrivateKey, token string) onboarding.EnrolInput {
	t.Helper()
	sum := sha256.Sum256([]byte("blossomtune-enrol:" + strings.Split(token, ".")[1]))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return onboarding.EnrolInput{Token: token, PublicKey: publicPEM(t, key), Proof: base64.StdEncoding.EncodeToString(sig)}
}

func (w *world) token(r domain.Request) string {
	w.t.Helper()
	text, _, err := w.s.NewJoinToken(w.ctx, manager, r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func TestAJoinTokenEnrolsOneKey(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	r := w.approved("a@example.org")
	first := w.token(r)
	token := w.token(r) // the earlier one stops working
	key := newKey(t)
	_, err := w.s.Enrol(w.ctx, input(t, key, first))
	w.wantCode(err, domain.Expired, "token")

	forged := input(t, key, token)
	forged.PublicKey = publicPEM(t, newKey(t)) // the proof is of another key
	_, err = w.s.Enrol(w.ctx, forged)
	w.wantCode(err, domain.Invalid, "proof")

	e, err := w.s.Enrol(w.ctx, input(t, key, token))
	if err != nil || e.Key.Partition != r.Partition || e.Key.Via != "agent" {
		t.Fatalf("%+v, %v", e, err)
	}
	again, err := w.s.Enrol(w.ctx, input(t, key, token))
	if err != nil || again.Key.ID != e.Key.ID {
		t.Errorf("the same key again: %+v, %v", again.Key, err)
	}
	_, err = w.s.Enrol(w.ctx, input(t, newKey(t), token))
	w.wantCode(err, domain.Expired, "token")
	if got, err := w.s.EnrolmentOf(w.ctx, e.Key.Fingerprint); err != nil || got.Request.ID != r.ID {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAKeyIsEnrolledOnceForEver(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	a, b := w.approved("a@example.org"), w.approved("b@example.org")
	key := newKey(t)
	e, err := w.s.Enrol(w.ctx, input(t, key, w.token(a)))
	if err != nil {
		t.Fatal(err)
	}
	tokenB := w.token(b)
	_, err = w.s.Enrol(w.ctx, input(t, key, tokenB))
	w.wantCode(err, domain.Conflict, "")
	if _, err := w.s.Enrol(w.ctx, input(t, newKey(t), tokenB)); err != nil { // the token was not used up
		t.Errorf("after a refused key the token does not work: %v", err)
	}
	second := newKey(t)
	if _, err := w.s.Enrol(w.ctx, input(t, second, w.token(a))); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.EnrolmentOf(w.ctx, e.Key.Fingerprint)
	w.wantCode(err, domain.Unauthenticated, "") // replaced
	tokenA := w.token(a)
	if _, err := w.s.Revoke(w.ctx, manager, a.ID, "x"); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Enrol(w.ctx, input(t, newKey(t), tokenA))
	w.wantCode(err, domain.Expired, "token")
	_, _, err = w.s.NewJoinToken(w.ctx, manager, a.ID)
	w.wantCode(err, domain.Conflict, "")
	keys, err := w.s.NodeKeys(w.ctx, w.fed.ID)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		if k.RequestID == a.ID && k.RevokedAt.IsZero() {
			t.Errorf("key %s of a revoked participant is good", k.Fingerprint)
		}
	}
}

func TestJoinTokensRunOut(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	token := w.token(w.approved("a@example.org"))
	w.clock.pass(domain.JoinTokenLife + time.Second)
	_, err := w.s.Enrol(w.ctx, input(t, newKey(t), token))
	w.wantCode(err, domain.Expired, "token")
	for _, text := range []string{"", "a.b", "a.b.c.d", "public.0000.11"} {
		_, err := w.s.Enrol(w.ctx, onboarding.EnrolInput{Token: text, PublicKey: publicPEM(t, newKey(t))})
		if err == nil {
			t.Errorf("the token %q works", text)
		}
	}
}

func TestOnlyKeysThatFlowerTakes(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	in := input(t, newKey(t), w.token(w.approved("a@example.org")))
	for name, text := range map[string][]byte{"none": nil, "no key": []byte("hello"), "long": []byte(strings.Repeat("x", 1<<20))} {
		in.PublicKey = text
		_, err := w.s.Enrol(w.ctx, in)
		if domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each NIST curve is good, whether an agent enrols the key or its owner uploads it.
func TestKeysOfAllNISTCurvesEnrol(t *testing.T) {
	for bits, curve := range map[string]elliptic.Curve{"256": elliptic.P256(), "384": elliptic.P384(), "521": elliptic.P521()} {
		w := newWorld(t, storetest.SQLite(t), 3)
		r := w.approved("a@example.org")
		if e, err := w.s.Enrol(w.ctx, input(t, newKeyOf(t, curve), w.token(r))); err != nil || e.Key.Via != "agent" {
			t.Errorf("an agent's P-%s key: %+v, %v", bits, e, err)
		}
		r = w.approved("b@example.org")
		challenge, err := w.s.Challenge(w.ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		public, signature := handMadeOf(t, bits, challenge, "blossomtune")
		if k, err := w.s.EnrolUpload(w.ctx, manager, r.ID, public, challenge, signature); err != nil || k.Via != "upload" {
			t.Errorf("an uploaded P-%s key: %+v, %v", bits, k, err)
		}
	}
}

// sshKeygen runs the real ssh-keygen in a directory.
func sshKeygen(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ssh-keygen", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// handMade makes a key and signs a text with it, by the commands that the status page shows.
func handMade(t *testing.T, text, namespace string) (public, signature string) {
	return handMadeOf(t, "384", text, namespace)
}

func handMadeOf(t *testing.T, bits, text, namespace string) (public, signature string) {
	t.Helper()
	dir := t.TempDir()
	sshKeygen(t, dir, "-q", "-t", "ecdsa", "-b", bits, "-m", "PKCS8", "-N", "", "-f", "key")
	cmd := exec.CommandContext(t.Context(), "ssh-keygen", "-e", "-m", "PKCS8", "-f", "key.pub")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sshKeygen(t, dir, "-q", "-Y", "sign", "-n", namespace, "-f", "key", "text")
	return string(out), read(t, filepath.Join(dir, "text.sig"))
}

func TestAHandMadeKeyNeedsItsProof(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	a, b := w.approved("a@example.org"), w.approved("b@example.org")
	challenge, err := w.s.Challenge(w.ctx, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	public, signature := handMade(t, challenge+"\n", "blossomtune")
	otherKey, _ := handMade(t, challenge, "blossomtune")
	_, otherUse := handMade(t, challenge, "git")
	for name, c := range map[string]struct {
		request                      int64
		public, challenge, signature string
		field                        string
	}{
		"another's request":   {b.ID, public, challenge, signature, "challenge"},
		"another key":         {a.ID, otherKey, challenge, signature, "signature"},
		"another purpose":     {a.ID, public, challenge, otherUse, "signature"},
		"another text":        {a.ID, public, strings.Replace(challenge, "blossomtune-upload", "blossomtune-uploaX", 1), signature, "challenge"},
		"no signature":        {a.ID, public, challenge, "", "signature"},
		"a private key's PEM": {a.ID, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", challenge, signature, ""},
	} {
		if _, err := w.s.EnrolUpload(w.ctx, manager, c.request, c.public, c.challenge, c.signature); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: %v", name, err)
		} else {
			w.wantCode(err, domain.Invalid, c.field)
		}
	}
	k, err := w.s.EnrolUpload(w.ctx, manager, a.ID, public, challenge, signature)
	if err != nil || k.Via != "upload" || k.Partition != a.Partition {
		t.Fatalf("%+v, %v", k, err)
	}
	if again, err := w.s.EnrolUpload(w.ctx, manager, a.ID, public, challenge, signature); err != nil || again.ID != k.ID {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	w.clock.pass(2 * time.Hour)
	_, err = w.s.EnrolUpload(w.ctx, manager, a.ID, public, challenge, signature)
	w.wantCode(err, domain.Expired, "challenge")
}
