package participant

import (
	"fmt"
	"time"

	"blossomtune/internal/web/ui"
)

// selfCheck is one line of what is known of a participant's machine.
type selfCheck struct {
	tone          ui.Tone
	name          string
	found, remedy string
}

func checked(good bool, name, found, remedy string) selfCheck {
	if good {
		return selfCheck{ui.Tone{Class: "is-ok", Icon: "ok"}, name, found, ""}
	}
	return selfCheck{ui.Tone{Class: "is-warn", Icon: "warn"}, name, found, remedy}
}

// clockTolerance is how far a clock may be off for plain Flower: its signatures are refused from five seconds ahead on.
const clockTolerance = 4 * time.Second

// selfTest is what this server knows of the way from the participant's machine to here: from its requests, and from what its agent tells.
func (st standing) selfTest() []selfCheck {
	if !st.hasKey() {
		return nil
	}
	seen := st.key.Seen
	reached := !seen.FirstAt.IsZero()
	preflight := "On that machine run: ~/.blossomtune/bin/blossomtune join " + st.conn.PublicURL + " --preflight"
	out := []selfCheck{checked(st.key.SuspendedAt.IsZero(), "Key", "is enrolled", "")}
	if !st.key.SuspendedAt.IsZero() {
		out[0] = checked(false, "Key", "is suspended: "+st.key.Reason, "Wait, or write to the managers; it continues automatically.")
	}
	out = append(out,
		checked(reached, "DNS, network", pick(reached, "your machine reaches this server", "nothing has come from your machine yet"), preflight),
		checked(reached, "TLS", pick(reached, "it accepts this server's certificate", "not known until it reaches this server"), preflight))
	if st.key.Via == "agent" && reached {
		out = append(out, checked(true, "Proxy", pick(seen.Proxy != "", "it goes through "+seen.Proxy, "it needs none"), ""),
			checked(true, "Clock", clockWords(seen.ClockOff), ""))
	}
	good, why, remedy := st.key.Verdict(st.conn.Flwr)
	if seen.Flwr != "" {
		right := good || why == "offline" || why == "suspended" || why == "stuck"
		out = append(out, checked(right, "Version", pick(right, "flwr "+seen.Flwr+" fits", why), remedy))
	}
	if cause, remedy := st.key.Stuck(); cause != "" && seen.Online {
		out = append(out, checked(false, "Messages", "are not handled. "+cause, remedy))
	}
	if reached {
		out = append(out, checked(seen.Online, "Online", pick(seen.Online, "it answers", "it has stopped answering"),
			"Start the same command again; its log says why it ended."))
	}
	return out
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func clockWords(off time.Duration) string {
	switch {
	case off.Abs() <= clockTolerance:
		return "is right"
	case off > 0:
		return fmt.Sprintf("is %s behind; the agent allows for it", ui.Span(off))
	}
	return fmt.Sprintf("is %s ahead; the agent allows for it", ui.Span(off.Abs()))
}
