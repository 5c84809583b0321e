package receipt

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

func signer(t *testing.T) *Signer {
	t.Helper()
	s, err := OpenSigner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func statement() Statement {
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	return Statement{Subject: []Subject{{"fab", map[string]string{"sha256": "aa"}}, {"artifact/model.npz", map[string]string{"sha256": "bb"}}}, Predicate: Run{
		Federation: "cardio", Run: "cnn-1", EngineRunID: "7", State: "completed", QueuedAt: at, StartedAt: &at, EndedAt: at, App: App{"p/n", "1.0.0", "aa"}, Lock: Lock{"1.41.0", "cc", true},
		Config: map[string]any{"lr": 0.1}, Settings: map[string]any{"log_level": "INFO"}, Partitions: 10, Participants: []Participant{{3, "9", "dd", "pem"}},
		Rounds: []Round{{1, []Reply{{"9", "train", "ee", "replied"}}}}, Replies: Digest{1, "x", "ff"}, Metrics: []Metric{{1, "train", "loss", 0.5}}, AllMetrics: Digest{2, "y", "gg"}, Server: "1", MadeAt: at}}
}

func TestKeyIsKeptAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	a, err := OpenSigner(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenSigner(dir)
	if err != nil || a.KeyID() != b.KeyID() || a.PublicKey() != b.PublicKey() {
		t.Error("another start takes another key", err)
	}
	info, err := os.Stat(filepath.Join(dir, "receipt.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "receipt.key"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSigner(dir); err == nil {
		t.Error("a broken key is taken, or replaced")
	}
}

// leaves calls do with every value in a decoded JSON document, with a way to replace it.
func leaves(path string, v any, set func(any), do func(path string, v any, set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			leaves(path+"."+k, e, func(n any) { v[k] = n }, do)
		}
	case []any:
		for i, e := range v {
			leaves(path+"[]", e, func(n any) { v[i] = n }, do)
		}
	default:
		do(path, v, set)
	}
}

func other(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case float64:
		return v + 1
	case bool:
		return !v
	}
	return "x"
}

// A change of any field fails the check, of what is signed as well as of what is around it.
func TestEveryChangeIsSeen(t *testing.T) {
	s := signer(t)
	good, err := s.Sign(statement())
	if err != nil {
		t.Fatal(err)
	}
	st, id, err := Open(good, nil)
	if err != nil || id != s.KeyID() {
		t.Fatal(id, err)
	}
	want := statement()
	want.Type, want.PredicateType = StatementType, PredicateType
	if d := cmp.Diff(want, st); d != "" {
		t.Error(d)
	}
	var e map[string]any
	tried := 0
	check := func(path string, v any, set func(any)) {
		set(other(v))
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(text, nil); err == nil {
			t.Errorf("a change of %s is not seen", path)
		}
		set(v)
		tried++
	}
	if err := json.Unmarshal(good, &e); err != nil {
		t.Fatal(err)
	}
	leaves("envelope", e, nil, check)
	payload, _ := base64.StdEncoding.DecodeString(e["payload"].(string))
	var inner map[string]any
	if err := json.Unmarshal(payload, &inner); err != nil {
		t.Fatal(err)
	}
	leaves("statement", inner, nil, func(path string, v any, set func(any)) {
		set(other(v))
		text, err := json.Marshal(inner)
		if err != nil {
			t.Fatal(err)
		}
		before := e["payload"]
		check(path, base64.StdEncoding.EncodeToString(text), func(n any) { e["payload"] = strings.TrimSuffix(n.(string), "x") })
		e["payload"] = before
		set(v)
	})
	if tried < 40 {
		t.Errorf("only %d changes were tried", tried)
	}
	for _, text := range []string{"", "{}", string(good) + "{}", string(good[:len(good)-2]), strings.Replace(string(good), `{"payloadType"`, `{"more":1,"payloadType"`, 1)} {
		if _, _, err := Open([]byte(text), nil); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// Who has the key is not deceived by a receipt that somebody else signed.
func TestAnotherKeyIsRefused(t *testing.T) {
	ours, theirs := signer(t), signer(t)
	forged, err := theirs.Sign(statement())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey([]byte(ours.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(forged, key); domain.CodeOf(err) != domain.Forbidden {
		t.Error(err)
	}
	// The same with our key's name on it.
	var e envelope
	if err := json.Unmarshal(forged, &e); err != nil {
		t.Fatal(err)
	}
	e.PublicKey, e.Signatures[0].KeyID = ours.PublicKey(), ours.KeyID()
	text, _ := json.Marshal(e)
	if _, _, err := Open(text, key); domain.CodeOf(err) != domain.Invalid {
		t.Error(err)
	}
}
