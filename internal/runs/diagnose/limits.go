package diagnose

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// Passed says which limit a run has passed, as a cause.
func (x Situation) Passed() (domain.Cause, bool) {
	over := func(limit time.Duration, since time.Time) bool {
		return limit > 0 && !since.IsZero() && x.Now.Sub(since) > limit
	}
	l := x.Run.Settings.Limits
	switch {
	case over(l.Wall, x.Run.StartingAt):
		return domain.Cause{Code: domain.CauseWallLimit, ExitCode: -1, Where: "ServerApp", Message: fmt.Sprintf("The run passed its time limit of %s%s.", domain.Span(l.Wall), x.inRound()),
			Remedy: "Launch it again with fewer rounds, or raise the limit."}, true
	case x.Run.State == domain.Starting && !x.Doing.Installing && over(l.FirstHeartbeat, newest(x.Run.StartingAt, x.Link.Since, x.Doing.Installed)):
		return domain.Cause{Code: domain.CauseFirstHeartbeat, ExitCode: -1, Where: "ServerApp", Message: fmt.Sprintf("The ServerApp gave no sign of life within %s.", domain.Span(l.FirstHeartbeat)),
			Remedy: "Read the end of its log; if loading the app takes that long, raise the limit."}, true
	case x.Run.State != domain.Running:
		return domain.Cause{}, false
	case over(l.Round, x.RoundBegan):
		return x.tooLong(domain.CauseRoundLimit, l.Round), true
	case over(l.NoProgress, x.Since):
		return x.tooLong(domain.CauseNoProgress, l.NoProgress), true
	}
	return domain.Cause{}, false
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
		c.Message = fmt.Sprintf("%s since %s%s; the limit of %s without progress passed.", domain.FirstUpper(w.What), clock(w.Since), off, domain.Span(limit))
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
		c.Message = fmt.Sprintf("Round %d passed its limit of %s after every reply was there: the ServerApp did not go on.", x.Asked[0].Round, domain.Span(limit))
		c.Remedy = "Read the end of its log, or raise the limit."
	case x.online() == 0:
		c.Where = "SuperNodes"
		c.Message = fmt.Sprintf("No SuperNode was online; the limit of %s without progress passed.", domain.Span(limit))
		c.Remedy = "Have their owners connect, then run it again."
	default:
		c.Message = fmt.Sprintf("The ServerApp asked, answered and logged nothing since %s; the limit of %s passed.", clock(x.Since), domain.Span(limit))
		c.Remedy = "Read the end of its log, or raise the limit."
	}
	return c
}
