package onboarding_test

import (
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store/storetest"
)

// A terminal's code is approved by the owner of a request alone, once, and only where the terminal sees this server.
func TestATerminalIsApprovedByItsCode(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), 3)
	mine, other := w.approved("a@example.org"), w.approved("b@example.org")
	me := domain.Actor{Kind: "person", PersonID: mine.PersonID, Name: "A"}
	ask := func() (string, string) {
		t.Helper()
		v, secret, err := w.s.AskDevice("box", "192.0.2.9")
		if err != nil {
			t.Fatal(err)
		}
		return v.Code, secret
	}
	code, secret := ask()
	shown := code + "-" + domain.DeviceCheck(code, "public")
	if token, err := w.s.PollDevice(secret); err != nil || token != "" {
		t.Fatalf("%q, %v before it is approved", token, err)
	}
	_, err := w.s.ApproveDevice(w.ctx, me, shown, other.ID)
	w.wantCode(err, domain.NotFound, "")
	_, err = w.s.FindDevice(me.PersonID, code+"-"+domain.DeviceCheck(code, strings.Repeat("ab", 32))) // somebody in between shows another CA
	w.wantCode(err, domain.Conflict, "code")
	if v, err := w.s.FindDevice(me.PersonID, strings.ToLower(shown)); err != nil || v.Host != "box" {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := w.s.ApproveDevice(w.ctx, me, shown, mine.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.ApproveDevice(w.ctx, me, shown, mine.ID)
	w.wantCode(err, domain.Invalid, "code") // once
	if token, err := w.s.PollDevice(secret); err != nil || !strings.HasPrefix(token, "public.") {
		t.Errorf("%q, %v", token, err)
	}
	_, err = w.s.PollDevice(secret)
	w.wantCode(err, domain.Expired, "")
	code, secret = ask()
	w.clock.pass(11 * time.Minute)
	_, err = w.s.ApproveDevice(w.ctx, me, code+"-"+domain.DeviceCheck(code, "public"), mine.ID)
	w.wantCode(err, domain.Invalid, "code")
	_, err = w.s.PollDevice(secret)
	w.wantCode(err, domain.Expired, "")
	for range 21 {
		_, err = w.s.FindDevice(me.PersonID, "2222-2222-2222")
	}
	w.wantCode(err, domain.Limited, "code")
	_, err = w.s.ApproveDevice(w.ctx, me, "2222-2222-2222", mine.ID)
	w.wantCode(err, domain.Limited, "code")
}
