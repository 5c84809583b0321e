package idempotency_test

import (
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/idempotency"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// A key stands for one call of one person, for a day; an answer with a secret is not kept.
func TestAKeyStandsForOneCall(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		s := &idempotency.Service{Store: store.Adapt[idempotency.Tx](db), Clock: func() time.Time { return now }}
		ctx := t.Context()
		call := func(person int64, key, request string) idempotency.Call {
			return idempotency.Call{PersonID: person, Key: key, Request: []byte(request)}
		}
		begins := func(c idempotency.Call) {
			t.Helper()
			if earlier, err := s.Begin(ctx, c); earlier != nil || err != nil {
				t.Errorf("%+v does not begin: %+v, %v", c, earlier, err)
			}
		}
		refused := func(c idempotency.Call, words string) {
			t.Helper()
			if _, err := s.Begin(ctx, c); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%+v: %v, want %q", c, err, words)
			}
		}
		ends := func(c idempotency.Call, status int, answer string, secret bool) {
			t.Helper()
			if err := s.End(ctx, c, status, answer, secret); err != nil {
				t.Fatal(err)
			}
		}
		one := call(1, "k", "POST /x\n{}")
		begins(one)
		refused(one, "is being carried out")
		begins(call(2, "k", "POST /x\n{}")) // somebody else's key is another one
		ends(one, 200, `{"name":"ä"}`, false)
		earlier, err := s.Begin(ctx, one)
		if err != nil || earlier == nil || earlier.Status != 200 || earlier.Answer != `{"name":"ä"}` {
			t.Errorf("again: %+v, %v", earlier, err)
		}
		refused(call(1, "k", "POST /x\n{ }"), "used for another call")

		secret := call(1, "s", "")
		begins(secret)
		ends(secret, 200, "btk_hidden", true)
		refused(secret, "held a secret")

		failed := call(1, "f", "")
		begins(failed)
		ends(failed, 422, "no", false)
		begins(failed) // nothing was changed: it may be tried again
		now = now.Add(3 * time.Minute)
		refused(failed, "was interrupted")
		now = now.Add(idempotency.Keeps)
		begins(failed)
		begins(call(1, "k", "another"))
	})
}

// What is no key is refused before anything is stored.
func TestKeysAreChecked(t *testing.T) {
	s := &idempotency.Service{}
	for _, key := range []string{"a b", "ä", "a\x00", "\n", strings.Repeat("x", idempotency.MaxKey+1)} {
		if _, err := s.Begin(t.Context(), idempotency.Call{Key: key}); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%q: %v", key, err)
		}
	}
}
