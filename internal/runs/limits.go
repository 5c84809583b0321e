package runs

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// noteProgress is how often the moment at which a run last came along is written down, for whoever watches it next.
const noteProgress = 30 * time.Second

// overrun ends a run that has passed one of its limits, with the cause. It reports false where none is passed.
func (s *Service) overrun(ctx context.Context, run domain.Run) (bool, error) {
	x, err := s.situation(ctx, run)
	if err != nil {
		return false, err
	}
	cause, over := x.passed()
	if !over {
		return false, s.note(ctx, x)
	}
	if err := s.halt(ctx, run, domain.KilledLimit); err != nil {
		return true, err
	}
	return true, s.fail(ctx, run, cause)
}

// note writes down when a run last came along.
func (s *Service) note(ctx context.Context, x situation) error {
	if x.run.State != domain.Running || x.since.Sub(newest(x.run.ProgressAt, x.run.RunningAt)) < noteProgress {
		return nil
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		run, err := tx.RunByID(ctx, x.run.ID)
		if err != nil || run.State.Ended() {
			return err
		}
		run.ProgressAt = x.since
		return tx.UpdateRun(ctx, run)
	})
}

// passed says which limit a run has passed, as a cause.
func (x situation) passed() (domain.Cause, bool) {
	over := func(limit time.Duration, since time.Time) bool {
		return limit > 0 && !since.IsZero() && x.now.Sub(since) > limit
	}
	l := x.run.Settings.Limits
	switch {
	case over(l.Wall, x.run.StartingAt):
		return domain.Cause{Code: "wall_limit", ExitCode: -1, Where: "ServerApp", Message: fmt.Sprintf("The run passed its time limit of %s%s.", domain.Span(l.Wall), x.inRound()),
			Remedy: "Launch it again with fewer rounds, or raise the limit."}, true
	case x.run.State == domain.Starting && !x.doing.installing && over(l.FirstHeartbeat, newest(x.run.StartingAt, x.link.Since, x.doing.installed)):
		return domain.Cause{Code: "first_heartbeat_limit", ExitCode: -1, Where: "ServerApp", Message: fmt.Sprintf("The ServerApp gave no sign of life within %s.", domain.Span(l.FirstHeartbeat)),
			Remedy: "Read the end of its log; if loading the app takes that long, raise the limit."}, true
	case x.run.State != domain.Running:
		return domain.Cause{}, false
	case over(l.Round, x.roundBegan()):
		return x.tooLong("round_limit", l.Round), true
	case over(l.NoProgress, x.since):
		return x.tooLong("no_progress_limit", l.NoProgress), true
	}
	return domain.Cause{}, false
}

func (x situation) inRound() string {
	if x.run.Round == 0 {
		return ""
	}
	return fmt.Sprintf(" in round %d", x.run.Round)
}

// roundBegan is when the newest round's first message was sent; zero before there is one.
func (x situation) roundBegan() (first time.Time) {
	for _, e := range x.asked {
		if first.IsZero() || e.AskedAt.Before(first) {
			first = e.AskedAt
		}
	}
	return first
}

// tooLong is the cause of a run that a limit of its rounds or of standing still has ended: who was waited for, and since when.
func (x situation) tooLong(code string, limit time.Duration) domain.Cause {
	c := domain.Cause{Code: code, ExitCode: -1, Where: "ServerApp"}
	out := x.outstanding()
	few, waiting := x.missing()
	switch {
	case waiting:
		w := x.forNodes(few)
		off := ""
		if gone := x.offline(); len(gone) > 0 {
			c.Where = domain.FirstUpper(partitions(gone))
			off = ", " + partitions(gone) + " offline"
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
		who := partitions(silent)
		c.Where = domain.FirstUpper(who)
		c.Message = fmt.Sprintf("%s silent in round %d, %s limit passed.", domain.FirstUpper(who), out[0].Round, domain.Span(limit))
		c.Remedy = fmt.Sprintf("Suspend %s and run it again without, or raise the limit.", who)
	case code == "round_limit":
		c.Message = fmt.Sprintf("Round %d passed its limit of %s after every reply was there: the ServerApp did not go on.", x.asked[0].Round, domain.Span(limit))
		c.Remedy = "Read the end of its log, or raise the limit."
	case x.online() == 0:
		c.Where = "SuperNodes"
		c.Message = fmt.Sprintf("No SuperNode was online; the limit of %s without progress passed.", domain.Span(limit))
		c.Remedy = "Have their owners connect, then run it again."
	default:
		c.Message = fmt.Sprintf("The ServerApp asked, answered and logged nothing since %s; the limit of %s passed.", clock(x.since), domain.Span(limit))
		c.Remedy = "Read the end of its log, or raise the limit."
	}
	return c
}
