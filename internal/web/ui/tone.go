package ui

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// Tone is how a state looks: a colour class, a symbol and a word, never a colour alone.
type Tone struct {
	Class, Icon, Word, Reason string
	Turn                      bool // the symbol turns: something is going on

	since time.Time // when the reason began, where it has a beginning
}

// RequestTone is the state of a request.
func RequestTone(s domain.RequestState) Tone {
	switch s {
	case domain.Unverified:
		return Tone{Class: "is-wait", Icon: "wait", Word: "not confirmed"}
	case domain.Pending:
		return Tone{Class: "is-wait", Icon: "wait", Word: "pending"}
	case domain.Approved:
		return Tone{Class: "is-ok", Icon: "ok", Word: "approved"}
	case domain.Rejected:
		return Tone{Class: "is-bad", Icon: "bad", Word: "rejected"}
	case domain.Revoked:
		return Tone{Class: "is-bad", Icon: "revoked", Word: "revoked"}
	}
	return Tone{Class: "is-off", Icon: "off", Word: string(s)}
}

// SuperLinkTone is the state of a SuperLink.
func SuperLinkTone(l domain.SuperLink, now time.Time) Tone {
	t := Tone{Word: "SuperLink " + string(l.State)}
	switch l.State {
	case domain.SuperLinkUp:
		t.Class, t.Icon = "is-ok", "ok"
		if !l.Since.IsZero() && now.Sub(l.Since) >= time.Minute {
			t.Reason = About(now.Sub(l.Since))
		}
	case domain.SuperLinkStarting, domain.SuperLinkRestarting:
		t.Class, t.Icon, t.Turn = "is-live", "live", true
	case domain.SuperLinkUnreachable:
		t.Class, t.Icon = "is-warn", "warn"
	case domain.SuperLinkFailed:
		t.Class, t.Icon = "is-bad", "bad"
	default:
		t.Class, t.Icon = "is-off", "off"
		if l.Idle {
			t.Reason = "idle, starts with the next run"
		}
	}
	return t
}

// ShortLinkTone is [superLinkTone] where it stands under SuperLink already.
func ShortLinkTone(l domain.SuperLink, now time.Time) Tone {
	t := SuperLinkTone(l, now)
	if t.Word = string(l.State); l.Idle {
		t.Word, t.Reason = "idle", ""
	}
	return t
}

// WaitTone is the state of a run with what it waits for, since when, and whether that is late; without what it is [runTone].
func WaitTone(r domain.Run, what string, since time.Time, late bool) Tone {
	t := RunTone(r)
	if what == "" {
		return t
	}
	t.Reason, t.since = what, since
	if late {
		t.Class, t.Icon, t.Turn = "is-warn", "warn", false
	}
	return t
}

// RunTone is the state of a run.
func RunTone(r domain.Run) Tone {
	t := Tone{Word: string(r.State)}
	switch r.State {
	case domain.Queued:
		t.Class, t.Icon = "is-wait", "wait"
		if !r.NotBefore.IsZero() {
			t.Reason = "starts " + r.NotBefore.UTC().Format("2 Jan, 15:04") + " UTC"
		}
	case domain.Starting, domain.Running:
		t.Class, t.Icon, t.Turn = "is-live", "live", true
		if r.StopAsked {
			t.Word = "stopping"
		}
	case domain.Completed:
		t.Class, t.Icon = "is-ok", "ok"
		switch o := r.Outcome(); o {
		case domain.NothingTrained:
			t.Class, t.Icon, t.Word = "is-warn", "warn", o.Words()
		case domain.NobodyAsked:
			t.Reason = "none asked" // short: it stands in tables on phones
		}
	case domain.Failed:
		t.Class, t.Icon = "is-bad", "bad"
		if r.Round > 0 {
			t.Reason = "round " + RoundText(r)
		}
	default:
		t.Class, t.Icon = "is-off", "off"
	}
	return t
}

// NodeTone is the state of a SuperNode; training says that it was asked in the running round and has not replied.
func NodeTone(k domain.NodeKey, training bool, now time.Time) Tone {
	switch {
	case !k.RevokedAt.IsZero():
		return Tone{Class: "is-bad", Icon: "revoked", Word: "revoked"}
	case !k.SuspendedAt.IsZero():
		return Tone{Class: "is-off", Icon: "pause", Word: "suspended"}
	case k.Seen.FirstAt.IsZero():
		return Tone{Class: "is-wait", Icon: "wait", Word: "never seen"}
	case k.Seen.Online && k.Seen.Stuck != "":
		return Tone{Class: "is-bad", Icon: "warn", Word: "stuck"}
	case k.Seen.Online && training:
		return Tone{Class: "is-live", Icon: "live", Word: "in round", Turn: true}
	case k.Seen.Online:
		return Tone{Class: "is-ok", Icon: "ok", Word: "online"}
	}
	return Tone{Class: "is-off", Icon: "off", Word: "offline", Reason: About(now.Sub(k.Seen.LastAt))}
}

// MailTone is the state of a mail.
func MailTone(s domain.MailState) Tone {
	switch s {
	case domain.MailSent:
		return Tone{Class: "is-ok", Icon: "ok", Word: "sent"}
	case domain.MailQueued:
		return Tone{Class: "is-wait", Icon: "wait", Word: "queued"}
	case domain.MailDead:
		return Tone{Class: "is-bad", Icon: "bad", Word: "gave up"}
	}
	return Tone{Class: "is-off", Icon: "pause", Word: "held"}
}

// Min5 is how many of five petals are filled; one at least where anything is online.
func Min5(online, total int) int {
	if total == 0 || online == 0 {
		return 0
	}
	return max(online*5/total, 1)
}

// CompareTone is the state of a run where runs stand side by side.
func CompareTone(r domain.Run) Tone {
	t := RunTone(r)
	if !r.State.Ended() && r.Round > 0 {
		t.Reason = "round " + RoundText(r)
	}
	return t
}

// ContainedWords tells how apps run at a participant's; "" when it is not known.
func ContainedWords(v domain.NodeSeen) string {
	words := v.Contained.Words()
	if words == "" || !v.Contained.Strong() {
		return words
	}
	if v.Data == 0 {
		return words + ", without any data folder"
	}
	return words + fmt.Sprintf(", with %s to read", Plural(v.Data, "data folder", "data folders"))
}
