package web

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// tone is how a state looks: a colour class, a symbol and a word, never a colour alone.
type tone struct {
	class, icon, word, reason string
	turn                      bool // the symbol turns: something is going on

	since time.Time // when the reason began, where it has a beginning
}

func requestTone(s domain.RequestState) tone {
	switch s {
	case domain.Unverified:
		return tone{class: "is-wait", icon: "wait", word: "not confirmed"}
	case domain.Pending:
		return tone{class: "is-wait", icon: "wait", word: "pending"}
	case domain.Approved:
		return tone{class: "is-ok", icon: "ok", word: "approved"}
	case domain.Rejected:
		return tone{class: "is-bad", icon: "bad", word: "rejected"}
	case domain.Revoked:
		return tone{class: "is-bad", icon: "revoked", word: "revoked"}
	}
	return tone{class: "is-off", icon: "off", word: string(s)}
}

func superLinkTone(l domain.SuperLink, now time.Time) tone {
	t := tone{word: "SuperLink " + string(l.State)}
	switch l.State {
	case domain.SuperLinkUp:
		t.class, t.icon = "is-ok", "ok"
		if !l.Since.IsZero() && now.Sub(l.Since) >= time.Minute {
			t.reason = about(now.Sub(l.Since))
		}
	case domain.SuperLinkStarting, domain.SuperLinkRestarting:
		t.class, t.icon, t.turn = "is-live", "live", true
	case domain.SuperLinkUnreachable:
		t.class, t.icon = "is-warn", "warn"
	case domain.SuperLinkFailed:
		t.class, t.icon = "is-bad", "bad"
	default:
		t.class, t.icon = "is-off", "off"
		if l.Idle {
			t.reason = "idle, starts with the next run"
		}
	}
	return t
}

// shortLinkTone is [superLinkTone] where it stands under SuperLink already.
func shortLinkTone(l domain.SuperLink, now time.Time) tone {
	t := superLinkTone(l, now)
	if t.word = string(l.State); l.Idle {
		t.word, t.reason = "idle", ""
	}
	return t
}

// waitTone is the state of a run with what it waits for, since when, and whether that is late; without what it is [runTone].
func waitTone(r domain.Run, what string, since time.Time, late bool) tone {
	t := runTone(r)
	if what == "" {
		return t
	}
	t.reason, t.since = what, since
	if late {
		t.class, t.icon, t.turn = "is-warn", "warn", false
	}
	return t
}

func runTone(r domain.Run) tone {
	t := tone{word: string(r.State)}
	switch r.State {
	case domain.Queued:
		t.class, t.icon = "is-wait", "wait"
		if !r.NotBefore.IsZero() {
			t.reason = "starts " + r.NotBefore.UTC().Format("2 Jan, 15:04") + " UTC"
		}
	case domain.Starting, domain.Running:
		t.class, t.icon, t.turn = "is-live", "live", true
		if r.StopAsked {
			t.word = "stopping"
		}
	case domain.Completed:
		t.class, t.icon = "is-ok", "ok"
		switch o := r.Outcome(); o {
		case domain.NothingTrained:
			t.class, t.icon, t.word = "is-warn", "warn", o.Words()
		case domain.NobodyAsked:
			t.reason = "none asked" // short: it stands in tables on phones
		}
	case domain.Failed:
		t.class, t.icon = "is-bad", "bad"
		if r.Round > 0 {
			t.reason = "round " + roundText(r)
		}
	default:
		t.class, t.icon = "is-off", "off"
	}
	return t
}

// nodeTone is the state of a SuperNode; training says that it was asked in the running round and has not replied.
func nodeTone(k domain.NodeKey, training bool, now time.Time) tone {
	switch {
	case !k.RevokedAt.IsZero():
		return tone{class: "is-bad", icon: "revoked", word: "revoked"}
	case !k.SuspendedAt.IsZero():
		return tone{class: "is-off", icon: "pause", word: "suspended"}
	case k.Seen.FirstAt.IsZero():
		return tone{class: "is-wait", icon: "wait", word: "never seen"}
	case k.Seen.Online && k.Seen.Stuck != "":
		return tone{class: "is-bad", icon: "warn", word: "stuck"}
	case k.Seen.Online && training:
		return tone{class: "is-live", icon: "live", word: "in round", turn: true}
	case k.Seen.Online:
		return tone{class: "is-ok", icon: "ok", word: "online"}
	}
	return tone{class: "is-off", icon: "off", word: "offline", reason: about(now.Sub(k.Seen.LastAt))}
}

func mailTone(s domain.MailState) tone {
	switch s {
	case domain.MailSent:
		return tone{class: "is-ok", icon: "ok", word: "sent"}
	case domain.MailQueued:
		return tone{class: "is-wait", icon: "wait", word: "queued"}
	case domain.MailDead:
		return tone{class: "is-bad", icon: "bad", word: "gave up"}
	}
	return tone{class: "is-off", icon: "pause", word: "held"}
}

func min5(online, total int) int {
	if total == 0 || online == 0 {
		return 0
	}
	return max(online*5/total, 1)
}

func compareTone(r domain.Run) tone {
	t := runTone(r)
	if !r.State.Ended() && r.Round > 0 {
		t.reason = "round " + roundText(r)
	}
	return t
}

// containedWords tells how apps run at a participant's; "" when it is not known.
func containedWords(v domain.NodeSeen) string {
	words := v.Contained.Words()
	if words == "" || !v.Contained.Strong() {
		return words
	}
	if v.Data == 0 {
		return words + ", without any data folder"
	}
	return words + fmt.Sprintf(", with %s to read", plural(v.Data, "data folder", "data folders"))
}
