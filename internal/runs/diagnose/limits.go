package diagnose

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// OverLimit reports whether the run has passed one of its limits.
func (x Situation) OverLimit() bool {
	_, _, over := x.overLimit()
	return over
}

func (x Situation) overLimit() (code domain.CauseCode, limit time.Duration, is bool) {
	over := func(limit time.Duration, since time.Time) bool {
		return limit > 0 && !since.IsZero() && x.Now.Sub(since) > limit
	}
	l := x.Run.Settings.Limits
	switch {
	case over(l.Wall, x.Run.StartingAt):
		return domain.CauseWallLimit, l.Wall, true
	case x.Run.State == domain.Starting && !x.Doing.Installing && over(l.FirstHeartbeat,
		newest(x.Run.StartingAt, x.Link.Since, x.Doing.Installed)):
		return domain.CauseFirstHeartbeat, l.FirstHeartbeat, true
	case x.Run.State != domain.Running:
		return "", 0, false
	case over(l.Round, x.RoundBegan):
		return domain.CauseRoundLimit, l.Round, true
	case over(l.NoProgress, x.Since):
		return domain.CauseNoProgress, l.NoProgress, true
	}
	return "", 0, false
}

// Passed says which limit a run has passed, as a cause.
func (x Situation) Passed() (domain.Cause, bool) {
	code, limit, over := x.overLimit()
	c := domain.Cause{Code: code, ExitCode: -1, Where: "ServerApp"}
	switch {
	case !over:
		return domain.Cause{}, false
	case code == domain.CauseWallLimit:
		c.Message, c.Remedy = fmt.Sprintf("The run passed its time limit of %s%s.", domain.Span(limit), x.inRound()),
			"Launch it again with fewer rounds, or raise the limit."
	case code == domain.CauseFirstHeartbeat:
		c.Message = fmt.Sprintf("The ServerApp gave no sign of life within %s.", domain.Span(limit))
		c.Remedy = "Read the end of its log; if loading the app takes that long, raise the limit."
	default:
		return x.tooLong(code, limit), true
	}
	return c, true
}

func (x Situation) inRound() string {
	if x.Run.Round == 0 {
		return ""
	}
	return fmt.Sprintf(" in round %d", x.Run.Round)
}

// tooLong is the cause of a run that a limit of its rounds or of standing still has ended: who was waited for, and since when.
func (x Situation) tooLong(code domain.CauseCode, limit time.Duration) domain.Cause {
	c := domain.Cause{Code: code, ExitCode: -1, Where: "ServerApp"}
	out := x.outstanding()
	few, waiting := x.missing()
	switch {
	case waiting:
		w := x.forNodes(few)
		off := ""
		if gone := x.offline(); len(gone) > 0 {
			c.Where = domain.FirstUpper(Partitions(gone))
			off = ", " + Partitions(gone) + " offline"
		} else {
			c.Where = "SuperNodes"
		}
		c.Message = fmt.Sprintf("%s since %s%s; the limit of %s without progress passed.", domain.FirstUpper(w.What), clock(w.Since), off,
			domain.Span(limit))
		c.Remedy = "Have the owners of the SuperNodes that are missing connect, or ask for fewer in the run config; then run it again."
	case len(out) > 0:
		var silent []int
		key := x.keyOf()
		for _, e := range out {
			if k, known := key(e.NodeID); known {
				silent = append(silent, k.Partition)
			}
		}
		who := Partitions(silent)
		c.Where = domain.FirstUpper(who)
		c.Message = fmt.Sprintf("%s silent in round %d, %s limit passed.", domain.FirstUpper(who), out[0].Round, domain.Span(limit))
		c.Remedy = fmt.Sprintf("Suspend %s and run it again without, or raise the limit.", who)
	case code == domain.CauseRoundLimit:
		c.Message = fmt.Sprintf("Round %d passed its limit of %s after every reply was there: the ServerApp did not go on.", x.Asked[0].Round,
			domain.Span(limit))
		c.Remedy = "Read the end of its log, or raise the limit."
	case x.online() == 0:
		c.Where = "SuperNodes"
		c.Message = fmt.Sprintf("No SuperNode was online; the limit of %s without progress passed.", domain.Span(limit))
		c.Remedy = "Have their owners connect, then run it again."
	default:
		c.Message = fmt.Sprintf("The ServerApp asked, answered and logged nothing since %s; the limit of %s passed.", clock(x.Since),
			domain.Span(limit))
		c.Remedy = "Read the end of its log, or raise the limit."
	}
	return c
}
